"""Gain of a hyperparameter search over the configured parameters, from its table of trials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

TUNING = Path("models/tuning")  # the folder of the stage `tune`
BEST = TUNING / "best.json"
LEVEL = 0.90  # of the gain's confidence interval
DIGITS = 6  # of parameters and errors


@dataclass(frozen=True)
class TuningGain:
    """Mean MdAPE over folds of the configured and best parameters, and the work of the search.

    `interval` is the confidence interval of the gain at LEVEL, by Student's t over the paired months of the folds, with
    Bonferroni's correction for the selection of the best of all trials. Months, not sales, are the units: a choice of
    parameters that wins in a few months only does not hold later. None with one month, or if the configured parameters
    are the best.
    """

    configured: float
    best: float
    best_trial: int
    folds_until_best: int  # folds trained when the best trial ended
    n_folds: int  # of a complete trial
    n_months: int  # of all folds
    n_trials: int
    n_pruned: int
    folds_trained: int
    month_gain: float  # the mean of the gains by month, the middle of `interval`
    interval: tuple[float, float] | None

    @classmethod
    def from_trials(cls, trials: pd.DataFrame, configured_trial: int = 0) -> TuningGain:
        """The gain of a search; `configured_trial` is the number of the trial of the configured parameters."""
        by_number = trials.set_index("number")
        best = int(by_number["value"].idxmin())
        months = by_number[month_columns(trials)]
        differences = (months.loc[configured_trial] - months.loc[best]).to_numpy(float)
        return cls(
            configured=float(by_number.loc[configured_trial, "value"]),
            best=float(by_number.loc[best, "value"]),
            best_trial=best,
            folds_until_best=int(by_number.loc[best, "folds_so_far"]),
            n_folds=_fold_errors(trials).shape[1],
            n_months=len(differences),
            n_trials=len(trials),
            n_pruned=int((trials["state"] == "pruned").sum()),
            folds_trained=int(trials["folds"].sum()),
            month_gain=float(differences.mean()),
            interval=paired_interval(differences, len(trials) - 1),
        )

    @property
    def gain(self) -> float:
        """The reduction of the error as a fraction: 0.0002 is 0.02 percentage points."""
        return self.configured - self.best

    @property
    def folds_saved(self) -> int:
        """The folds that pruning saved."""
        return self.n_folds * self.n_trials - self.folds_trained

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
    confidence = 1 - (1 - LEVEL) / n_comparisons
    low, high = stats.t.interval(confidence, count - 1, differences.mean(), stats.sem(differences))
    return float(low), float(high)


def search_progress(trials: pd.DataFrame, work: str = "folds_so_far", configured_trial: int = 0) -> pd.DataFrame:
    """number, state, `work`, error and best error so far, in the order of `work`.

    A pruned trial's error is that of the configured parameters plus the mean difference on the folds that it trained,
    since folds differ in difficulty.
    """
    folds, configured = _fold_errors(trials), trials.index[trials["number"] == configured_trial][0]
    estimated = trials.loc[configured, "value"] + (folds - folds.loc[configured]).mean(axis=1)
    table = trials.assign(error=trials["value"].fillna(estimated)).sort_values([work, "number"])
    return table.assign(best=table["value"].cummin().ffill())[["number", "state", work, "error", "best"]]


def month_columns(trials: pd.DataFrame) -> list[str]:
    """The columns with the errors by month, in order."""
    return sorted(name for name in trials if re.fullmatch(r"\d{4}-\d{2}", name))


def _fold_errors(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.filter(regex=r"^fold_\d+$")
