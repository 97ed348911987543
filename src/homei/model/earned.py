"""What a search for parameters earned, against what it cost: from its table of trials, as `tune.trials` gives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVEL = 0.90  # of the gain's interval


@dataclass(frozen=True)
class Earned:
    """A search's gain over the model's own parameters; errors are MdAPE, means over the folds.

    `interval` holds the gain at LEVEL, by Student's t over the folds, on each of which both were measured, and wide
    enough to hold for all trials at once (Bonferroni): among many that are no better, one looks so by chance, and that
    is the one that is picked. None where one fold can't tell, or where the own parameters are the best.
    """

    own: float
    best: float
    number: int  # of the best trial
    found: int  # folds learnt when it was found
    folds: int  # of a whole trial
    trials: int
    pruned: int
    learnt: int  # folds
    saved: int  # folds that pruning left unlearnt
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, trials: pd.DataFrame, own: int = 0) -> Earned:
        """What the search earned; `own` is the number of the trial of the model's own parameters, a complete one."""
        first = trials.index[trials["number"] == own][0]
        folds = trials.filter(regex=r"^fold_\d+$")
        best = int(trials["value"].idxmin())
        differences = (folds.loc[first] - folds.loc[best]).to_numpy(float)
        return cls(
            own=float(trials.loc[first, "value"]),
            best=float(trials.loc[best, "value"]),
            number=int(trials.loc[best, "number"]),
            found=int(trials.loc[best, "learnt"]),
            folds=folds.shape[1],
            trials=len(trials),
            pruned=int((trials["state"] == "pruned").sum()),
            learnt=int(trials["folds"].sum()),
            saved=int(folds.shape[1] * len(trials) - trials["folds"].sum()),
            interval=paired_interval(differences, len(trials) - 1),
        )

    @property
    def gain(self) -> float:
        """By how much the error fell, as a fraction: 0.0002 is 0.02 percentage points."""
        return self.own - self.best

    @property
    def beyond_noise(self) -> bool:
        """Whether all of the interval is a gain; else the best and the model's own parameters are near-equals."""
        return self.interval is not None and self.interval[0] > 0


def paired_interval(differences: np.ndarray, picked_among: int = 1) -> tuple[float, float] | None:
    """What the differences' mean may be, at LEVEL for as many such means at once; None where they don't differ."""
    from scipy import stats

    count = len(differences)
    if count < 2 or not differences.std():
        return None
    quantile = stats.t.ppf(1 - (1 - LEVEL) / 2 / picked_among, count - 1)
    reach = quantile * differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean() - reach), float(differences.mean() + reach)


def progress(trials: pd.DataFrame, work: str = "learnt", own: int = 0) -> pd.DataFrame:
    """number, state, `work`, error and best so far, in the order of `work`.

    The error of a pruned trial is the own parameters' one and by how much it differed from theirs on the folds that it
    learnt: folds are not equally hard.
    """
    folds, first = trials.filter(regex=r"^fold_\d+$"), trials.index[trials["number"] == own][0]
    beside_own = trials.loc[first, "value"] + (folds - folds.loc[first]).mean(axis=1)
    ended = trials.assign(error=trials["value"].fillna(beside_own)).sort_values([work, "number"])
    return ended.assign(best=ended["value"].cummin().ffill())[["number", "state", work, "error", "best"]]
