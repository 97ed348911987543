"""The city's price index: log price per m² (see `price_units`), as known before each month.

A plain mean moves with the mix of districts sold. Instead, each window of months is fitted by stratum effects (location
× type) plus month effects, and the windows are joined by a mean splice on their common months: a rolling-window time
dummy index (Hill, Scholz, Shimizu & Steurer, Rolling-Time-Dummy House Price Indexes, Journal of Official Statistics
2022; the splice: Diewert & Fox, Substitution Bias in Multilateral Methods for CPI Construction, Journal of Business &
Economic Statistics 2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from homei.features.columns import CHANGES, MARKET_LEVEL

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MICRO = 1_000_000  # logs are summed in whole micro-units: exact in any order
SMOOTHED = 3  # the level is the mean of the last months: a single month is noisy in a small city


def in_logs(micro: Column) -> Column:
    """Micro-units as a log to six decimals, halves rounded away from zero.

    Equal to Spark's `round`, which writes each number as text and reads it again, and takes many times as long.
    """
    from pyspark.sql import functions as F  # noqa: N812

    return F.signum(micro) * F.floor(F.abs(micro) + 0.5) / MICRO + 0.0


def market_cells(sales: DataFrame) -> DataFrame:
    """The number of sales and the sum of their logs (micro-units) by location, property_type and month."""
    from pyspark.sql import functions as F  # noqa: N812

    grouped = sales.where(F.col("log_micro").isNotNull()).groupBy("location", "property_type", "month")
    return grouped.agg(F.count("log_micro").alias("sales"), F.sum("log_micro").alias("total"))


def market_index(cells: pd.DataFrame, last_month: int, index_months: int) -> pd.DataFrame:
    """month, market_level and its changes, from the month after the first sale to `last_month`.

    The level of a month is estimated from sales of the `index_months` months before it only.
    """
    if cells.empty:
        return with_changes(pd.DataFrame({"month": pd.Series(dtype="int64"), MARKET_LEVEL: pd.Series(dtype="f8")}))
    first = int(cells["month"].min())
    sales, total = _matrices(cells, first, last_month)
    effects = np.full(last_month - first, np.nan)  # month effects on the index's scale, from the latest window
    levels = []
    for end in range(1, last_month - first + 1):
        window = slice(max(0, end - index_months), end)
        spliced = effects[window] = splice(sales[:, window], total[:, window], effects[window])
        recent = spliced[-SMOOTHED:]
        defined = recent[~np.isnan(recent)]
        levels.append(defined.mean() if defined.size else levels[-1])
    months = np.arange(first + 1, last_month + 1, dtype="int64")
    return with_changes(pd.DataFrame({"month": months, MARKET_LEVEL: np.round(levels, 6)}))


def splice(sales: np.ndarray, total: np.ndarray, previous_effects: np.ndarray) -> np.ndarray:
    """Month effects of a window, shifted to the mean of the previous window on their common months.

    The first window is shifted to the mean log over its strata. NaN for a month without sales.
    """
    if not sales.any():
        return np.full(sales.shape[1], np.nan)
    effects = month_effects(sales, total)
    common = ~np.isnan(effects) & ~np.isnan(previous_effects)
    if common.any():
        return effects + (previous_effects[common] - effects[common]).mean()
    by_month = sales.sum(axis=0)
    return effects + (total.sum() - (by_month * np.nan_to_num(effects)).sum()) / by_month.sum()


def month_effects(sales: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Month effects of log price = stratum + month by weighted least squares, up to a constant.

    `sales` (the weights) and `total` (summed logs) are strata × months. NaN for a month without sales. Solves the
    normal equations with the strata eliminated.
    """
    has_sales = sales.sum(axis=1) > 0
    sales, total = sales[has_sales], total[has_sales]
    total = total - sales * (total.sum() / sales.sum())  # centred, to keep precision
    shares = sales / sales.sum(axis=1, keepdims=True)
    by_month = sales.sum(axis=0)
    equations = np.diag(by_month) - shares.T @ sales
    right = total.sum(axis=0) - shares.T @ total.sum(axis=1)
    # The equations are singular: the constant is free, and more where months share no stratum.
    effects = np.linalg.lstsq(equations, right, rcond=1e-9)[0]
    return np.where(by_month > 0, effects, np.nan)


def with_changes(index: pd.DataFrame) -> pd.DataFrame:
    """The index with its change over each of CHANGES months, NaN at the beginning."""
    changes = {
        f"market_change_{months}": (index[MARKET_LEVEL] - index[MARKET_LEVEL].shift(months)).round(6)
        for months in CHANGES
    }
    return index.assign(**changes)


def _matrices(cells: pd.DataFrame, first: int, last_month: int) -> tuple[np.ndarray, np.ndarray]:
    """Number and summed logs of sales (strata × months before `last_month`), strata in order of name."""
    cells = cells[cells["month"] < last_month]
    strata = pd.MultiIndex.from_frame(cells[["location", "property_type"]])
    names = strata.unique().sort_values()
    position = names.get_indexer(strata), (cells["month"] - first).to_numpy()
    sales, total = np.zeros((2, len(names), last_month - first))
    sales[position] = cells["sales"]
    total[position] = cells["total"] / MICRO
    return sales, total
