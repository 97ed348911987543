"""Splits by time: training sales lie strictly before the sales to value."""

from __future__ import annotations

import numpy as np

from homei.training.config import SplitConfig

Masks = tuple[np.ndarray, np.ndarray]


class SplitError(ValueError):
    """Too few months of sales: the message names the parameter to lower."""


def holdout_masks(months: np.ndarray, as_of_month: int, split: SplitConfig) -> Masks:
    """Masks of the sales before the hold-out and of the hold-out: its months end with `as_of_month`."""
    start = as_of_month - split.hold_out_months + 1
    is_holdout = (months >= start) & (months <= as_of_month)
    return _nonempty(months < start, is_holdout, "split.hold_out_months or split.warm_up_months")


def rolling_origins(months: np.ndarray, end_month: int, folds: int, fold_months: int) -> list[Masks]:
    """Masks of (training, test) for `folds` consecutive folds that end before `end_month`, earliest first.

    Each test fold has `fold_months` months; its training sales are all before it. Raises SplitError for empty sides.
    """
    starts = [end_month - fold_months * (folds - number) for number in range(folds)]
    return [
        _nonempty(months < start, (months >= start) & (months < start + fold_months), "the number or length of folds")
        for start in starts
    ]


def _nonempty(is_training: np.ndarray, is_test: np.ndarray, remedy: str) -> Masks:
    if not is_training.any() or not is_test.any():
        purpose = "to train on" if is_test.any() else "to test on"
        raise SplitError(f"no sales {purpose}: the sales span too few months; lower {remedy}")
    return is_training, is_test
