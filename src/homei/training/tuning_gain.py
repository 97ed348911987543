"""Gain of a hyperparameter search over the configured parameters, from its table of trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVEL = 0.90  # of the gain's confidence interval


@dataclass(frozen=True)
class TuningGain:
    """Mean MdAPE over folds of the configured and best parameters, and the work of the search.

    `interval` is the confidence interval of the gain at LEVEL, by Student's t over the paired folds, with Bonferroni's
    correction for the selection of the best of all trials. None with one fold, or if the configured parameters are the
    best.
    """

    configured: float
    best: float
    best_trial: int
    folds_until_best: int  # folds trained when the best trial ended
    n_folds: int  # of a complete trial
    n_trials: int
    n_pruned: int
    folds_trained: int
    folds_saved: int  # by pruning
    interval: tuple[float, float] | None

    @classmethod
    def from_trials(cls, trials: pd.DataFrame, configured_trial: int = 0) -> TuningGain:
        """The gain of a search; `configured_trial` is the number of the trial of the configured parameters."""
        configured = trials.index[trials["number"] == configured_trial][0]
        folds = _fold_errors(trials)
        best = int(trials["value"].idxmin())
        differences = (folds.loc[configured] - folds.loc[best]).to_numpy(float)
        return cls(
            configured=float(trials.loc[configured, "value"]),
            best=float(trials.loc[best, "value"]),
            best_trial=int(trials.loc[best, "number"]),
            folds_until_best=int(trials.loc[best, "learnt"]),
            n_folds=folds.shape[1],
            n_trials=len(trials),
            n_pruned=int((trials["state"] == "pruned").sum()),
            folds_trained=int(trials["folds"].sum()),
            folds_saved=int(folds.shape[1] * len(trials) - trials["folds"].sum()),
            interval=paired_interval(differences, len(trials) - 1),
        )

    @property
    def gain(self) -> float:
        """The reduction of the error as a fraction: 0.0002 is 0.02 percentage points."""
        return self.configured - self.best

    @property
    def is_significant(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.interval is not None and self.interval[0] > 0


def paired_interval(differences: np.ndarray, n_comparisons: int = 1) -> tuple[float, float] | None:
    """The interval of the mean difference at LEVEL, corrected for `n_comparisons`; None without variance."""
    from scipy import stats

    count = len(differences)
    if count < 2 or not differences.std():
        return None
    quantile = stats.t.ppf(1 - (1 - LEVEL) / 2 / n_comparisons, count - 1)
    half_width = quantile * differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean() - half_width), float(differences.mean() + half_width)


def search_progress(trials: pd.DataFrame, work: str = "learnt", configured_trial: int = 0) -> pd.DataFrame:
    """number, state, `work`, error and best error so far, in the order of `work`.

    A pruned trial's error is that of the configured parameters plus the mean difference on the folds that it trained,
    since folds differ in difficulty.
    """
    folds, configured = _fold_errors(trials), trials.index[trials["number"] == configured_trial][0]
    estimated = trials.loc[configured, "value"] + (folds - folds.loc[configured]).mean(axis=1)
    table = trials.assign(error=trials["value"].fillna(estimated)).sort_values([work, "number"])
    return table.assign(best=table["value"].cummin().ffill())[["number", "state", work, "error", "best"]]


def _fold_errors(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.filter(regex=r"^fold_\d+$")
