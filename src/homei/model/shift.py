"""Where prices left their usual level: a test of each location against the city, free of any valuation model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

SMALLEST_CHANGE = 0.05  # relative; less is within what a location's mix of homes may do
FALSE_ALARMS = 0.01  # the share of alarms that may be false
FEWEST_SALES = 10  # of a location on either side
COLUMNS = ["location", "n", "change", "q", "shifted"]


def location_shifts(
    before: pd.DataFrame, after: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> pd.DataFrame:
    """By how much the price level of each location changed against the city's, the largest fall first.

    Both frames have price_level (log price per m² above the city's index), location and the attributes named. What
    attributes explain is taken out; compared are the medians of the rest, by their standard errors. Columns: location,
    n (sales after), change (relative), q (p-value adjusted for the number of locations), and shifted: q up to
    FALSE_ALARMS and a change of at least SMALLEST_CHANGE either way.
    """
    rest_before, rest_after = unexplained(before, after, numeric, categorical)
    sides = _medians(rest_before, before), _medians(rest_after, after)
    told = sides[0].join(sides[1], how="inner", lsuffix="_before", rsuffix="_after")
    moved = told["median_after"] - told["median_before"]
    # The index follows the city a little late: only what sets a location apart from the others is its own.
    own = moved - moved.median()
    z = own.abs() / np.hypot(told["error_before"], told["error_after"])
    q = adjusted(np.array([math.erfc(score / math.sqrt(2)) for score in z]))
    change = np.expm1(own)
    shifted = (q <= FALSE_ALARMS) & (change.abs() >= SMALLEST_CHANGE)
    found = pd.DataFrame({"n": told["n_after"], "change": change, "q": q, "shifted": shifted})
    return found.rename_axis("location").reset_index().round(6).sort_values(["change", "location"], ignore_index=True)


def unexplained(
    before: pd.DataFrame, after: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """What a regression of price_level on location and attributes, fitted to `before`, leaves of it on both sides."""
    both = pd.concat([before, after], ignore_index=True)
    first = np.arange(len(both)) < len(before)
    design = _design(both, first, numeric, ["location", *categorical])
    level = both["price_level"].to_numpy()
    slopes, *_ = np.linalg.lstsq(design[first], level[first], rcond=1e-10)
    rest = level - design @ slopes
    return rest[first], rest[~first]


def adjusted(p: np.ndarray) -> np.ndarray:
    """p-values as the share of false alarms that calling each one an alarm implies (Benjamini and Hochberg 1995)."""
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(len(p), 0, -1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(p) / ranks, 1.0))
    return q


def _design(both: pd.DataFrame, first: np.ndarray, numeric: Sequence[str], categorical: Sequence[str]) -> np.ndarray:
    """Indicators of categories, and numbers with their squares, an unknown one as the median with an indicator."""
    columns = [pd.get_dummies(both[name].fillna("unknown")).to_numpy(dtype=np.float64) for name in categorical]
    for name in numeric:
        value = both[name].to_numpy(dtype=np.float64)
        missing = np.isnan(value)
        if missing[first].all():
            continue
        middle, spread = np.nanmedian(value[first]), np.nanstd(value[first]) or 1.0
        scaled = np.where(missing, 0.0, (value - middle) / spread)
        columns.append(np.column_stack([scaled, scaled**2, missing]))
    return np.hstack(columns)


def _medians(rest: np.ndarray, sales: pd.DataFrame) -> pd.DataFrame:
    """n, median and its standard error by location, from the median absolute deviation: prices have long tails."""
    by_location = pd.Series(rest).groupby(sales["location"].to_numpy())
    n, median = by_location.size(), by_location.median()
    deviation = by_location.agg(lambda values: (values - values.median()).abs().median())
    # 1.4826 makes σ of a median absolute deviation, 1.2533 = √(π/2) the error of a median of that of a mean.
    error = (1.4826 * 1.2533 * deviation / np.sqrt(n)).clip(lower=1e-6)
    return pd.DataFrame({"n": n, "median": median, "error": error})[n >= FEWEST_SALES]
