"""Splits along time: what is learnt from always lies strictly before what is valued."""

from __future__ import annotations

import numpy as np

from homei.config import Split

Masks = tuple[np.ndarray, np.ndarray]


class SplitError(ValueError):
    """Sales that span too few months for what is asked of them: the message names the parameter to lower."""


def hold_out(months: np.ndarray, as_of_month: int, split: Split) -> Masks:
    """Masks of what lies before the hold-out and of the hold-out: the last months, `as_of_month` included."""
    start = as_of_month - split.hold_out_months + 1
    held = (months >= start) & (months <= as_of_month)
    return _filled(months < start, held, "split.hold_out_months or split.warm_up_months")


def rolling_origins(months: np.ndarray, end_month: int, folds: int, fold_months: int) -> list[Masks]:
    """Masks of (all before, the fold) for `folds` consecutive folds that end just before `end_month`, earliest first.

    Each fold is `fold_months` long and is valued by what lies before it. Raises SplitError where nothing does.
    """
    starts = [end_month - fold_months * (folds - number) for number in range(folds)]
    return [
        _filled(months < start, (months >= start) & (months < start + fold_months), "the number or length of the folds")
        for start in starts
    ]


def _filled(learnt: np.ndarray, held: np.ndarray, remedy: str) -> Masks:
    if not learnt.any() or not held.any():
        which = "to learn from" if held.any() else "to measure on"
        raise SplitError(f"there are no sales {which}: the sales span too few months; lower {remedy}")
    return learnt, held
