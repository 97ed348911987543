"""Splits of sales by time: training sales lie strictly before the sales to value.

Lengths count months that have sales. A history too short for the configured lengths shortens them: warm-up and hold-out
to a fifth of the months, the tested months to two fifths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from homei.features.columns import MARKET_LEVEL, first_day
from homei.training.config import BacktestConfig, IntervalsConfig, SplitConfig, TuningConfig

if TYPE_CHECKING:
    import pandas as pd

Masks = tuple[np.ndarray, np.ndarray]

MIN_MONTHS = 6  # one to warm up, three for folds and calibration, two to test
MIN_SALES = 50  # with fewer, folds and hold-out have a handful of sales each
MIN_CALIBRATION = 2  # periods: each is measured with an interval model of the others


class SplitError(ValueError):
    """Too few sales or months to train on; the message says how many there are and how many are required."""


@dataclass(frozen=True)
class TimeSplit:
    """The months with sales, and how many of them warm up (first), are held out and are tested (last)."""

    months: np.ndarray  # distinct, in order
    warm_up: int
    hold_out: int
    tested: int
    split: SplitConfig

    @classmethod
    def plan(cls, sale_months: Sequence[int] | np.ndarray, split: SplitConfig) -> TimeSplit:
        """The split of sales by their months; raises SplitError for fewer than MIN_MONTHS or MIN_SALES."""
        months, n_sales = np.unique(np.asarray(sale_months)), len(sale_months)
        if len(months) < MIN_MONTHS or n_sales < MIN_SALES:
            span = f" from {month_name(months[0])} to {month_name(months[-1])}" if len(months) else ""
            raise SplitError(
                f"the training set has {n_sales} sales in {len(months)} months{span}; training needs {MIN_SALES} sales "
                f"in {MIN_MONTHS} months: add earlier sales to the feeds of `sales`. To lower split.warm_up_months = "
                f"{split.warm_up_months}, split.tested_months = {split.tested_months} or split.hold_out_months = "
                f"{split.hold_out_months} does not help, since a short history shortens them anyway"
            )
        fifth = len(months) // 5
        return cls(
            months,
            warm_up=min(split.warm_up_months, fifth),
            hold_out=min(split.hold_out_months, fifth),
            tested=min(split.tested_months, 2 * fifth),
            split=split,
        )

    @property
    def first_usable(self) -> int:
        return int(self.months[self.warm_up])

    @property
    def first_tested(self) -> int:
        return int(self.months[-self.tested])

    @property
    def first_holdout(self) -> int:
        return int(self.months[-self.hold_out])

    @property
    def tuning_end(self) -> int:
        """The first month used for evaluation, before which parameters are chosen."""
        return min(self.first_tested, self.first_holdout)

    def calibration_months(self, backtest: BacktestConfig) -> int:
        """Months before the tested ones whose residuals calibrate intervals; as many are left to train on."""
        n_before = len(self.months) - self.warm_up - self.tested
        return min(backtest.calibration_months, max(MIN_CALIBRATION, n_before // 2))

    def record(
        self,
        tuning: TuningConfig | None = None,
        intervals: IntervalsConfig | None = None,
        backtest: BacktestConfig | None = None,
    ) -> dict[str, Any]:
        """The months with sales, the lengths in use by key, and a note on shortened ones."""
        n_usable = len(self.months) - self.warm_up
        lengths = [  # key, configured, used
            ("split.warm_up_months", self.split.warm_up_months, self.warm_up),
            ("split.hold_out_months", self.split.hold_out_months, self.hold_out),
            ("split.tested_months", self.split.tested_months, self.tested),
        ]
        if tuning:
            n_tuning = n_usable - max(self.tested, self.hold_out)
            folds, months = fold_lengths(n_tuning, tuning.folds, tuning.fold_months)
            lengths.append(("tuning.folds", tuning.folds, folds))
            lengths.append(("tuning.fold_months", tuning.fold_months, months))
        if intervals:
            folds, _ = fold_lengths(n_usable - self.hold_out, intervals.folds, self.hold_out)
            lengths.append(("intervals.folds", intervals.folds, folds))
        if backtest:
            used = self.calibration_months(backtest)
            lengths.append(("backtest.calibration_months", backtest.calibration_months, used))
        first, last = month_name(self.months[0]), month_name(self.months[-1])
        shortened = [
            f"{key} is {used} instead of {configured}" for key, configured, used in lengths if used != configured
        ]
        note = f"Sales of {len(self.months)} months ({first} to {last}) are too few for the configured lengths: "
        return {
            "first_month": first,
            "last_month": last,
            "months_with_sales": len(self.months),
            **{key: used for key, _, used in lengths},
            "note": f"{note}{', '.join(shortened)}." if shortened else "",
        }


def fold_lengths(n_months: int, folds: int, fold_months: int) -> tuple[int, int]:
    """The number and length of folds that leave at least a fold's length of the months before them."""
    folds = min(folds, n_months - 1)
    return folds, max(1, min(fold_months, n_months // (folds + 1)))


def rolling_origins(months: np.ndarray, folds: int, fold_months: int) -> list[Masks]:
    """Masks of (training, test) for consecutive folds up to the last month, earliest first.

    `fold_lengths` limits their number and length. Training sales are all before a fold. Raises SplitError for sales of
    a single month.
    """
    present = np.unique(months)
    if len(present) < 2:
        raise SplitError(f"{len(months)} sales in {len(present)} months cannot be split into training and test sales")
    folds, length = fold_lengths(len(present), folds, fold_months)
    starts = present[len(present) - length * np.arange(folds, 0, -1)]
    ends = [*starts[1:], present[-1] + 1]
    return [(months < start, (months >= start) & (months < end)) for start, end in zip(starts, ends, strict=True)]


def usable_sales(sales: pd.DataFrame, split: SplitConfig) -> pd.DataFrame:
    """The sales with a known market level after the warm-up months."""
    first = TimeSplit.plan(sales["month"], split).first_usable
    return sales[sales[MARKET_LEVEL].notna() & (sales["month"] >= first)]


def tuning_sales(sales: pd.DataFrame, split: SplitConfig) -> pd.DataFrame:
    """The usable sales before all months used for evaluation, on which parameters may be chosen."""
    usable = usable_sales(sales, split)
    return usable[usable["month"] < TimeSplit.plan(sales["month"], split).tuning_end]


def split_holdout(sales: pd.DataFrame, split: SplitConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The usable sales before the hold-out, and those of the hold-out."""
    usable = usable_sales(sales, split)
    is_holdout = usable["month"] >= TimeSplit.plan(sales["month"], split).first_holdout
    return usable[~is_holdout], usable[is_holdout]


def month_name(month: int) -> str:
    """The month with that number, such as 2025-06."""
    return f"{first_day(int(month)):%Y-%m}"
