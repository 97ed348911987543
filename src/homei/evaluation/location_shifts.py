"""Locations whose price level shifted against the city's, tested without any valuation model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, median_abs_deviation, norm

from homei.config.city import CityConfig
from homei.evaluation.periods import LOG_COLUMNS, ComparedSales, compared_sales
from homei.training.config import SplitConfig

MIN_CHANGE = 0.05  # relative; smaller changes can come from a location's mix of properties
FALSE_DISCOVERY_RATE = 0.01
MIN_SALES = 10  # of a location in either period
MIN_LOCATIONS = 3  # of two, nothing shows which one left the city's trend
REFERENCE_MONTHS = 12  # older sales would count slow divergence


def find_shifted_locations(sales: pd.DataFrame, city: CityConfig, split: SplitConfig) -> list[str]:
    """The locations whose price level shifted in the hold-out, computed without valuations."""
    unvalued = sales[["transaction_id"]].assign(predicted=np.nan)
    locations = compare_locations(compared_sales(sales, unvalued, city, split))
    return [location["location"] for location in locations if location["shifted"]]


def compare_locations(compared: ComparedSales) -> list[dict[str, Any]]:
    """`location_shifts` of the hold-out against the year before, with its median valuation error.

    Sales without a price level are left out.
    """
    since = compared.current["month"].min() - REFERENCE_MONTHS
    before = compared.reference[compared.reference["month"] >= since].dropna(subset="price_level")
    after = compared.current.dropna(subset="price_level")
    numeric = [name for name in compared.numeric if name not in LOG_COLUMNS]
    categorical = [name for name in compared.categorical if name != "location"]
    shifts = location_shifts(before, after, numeric, categorical)
    error = np.expm1(after.groupby("location")["valuation_error"].median())
    return [
        {**shift, "valuation_error": None if pd.isna(error[shift["location"]]) else error[shift["location"]]}
        for shift in shifts.to_dict("records")
    ]


def location_shifts(
    before: pd.DataFrame, after: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> pd.DataFrame:
    """The change of each location's price level relative to the city's, the largest fall first.

    Both frames have price_level (log price per m² relative to the city's index), location and the named attributes.
    Effects of attributes are removed by regression; the medians of the residuals are compared. Columns: location, n
    (sales after), change (relative), q (p-value adjusted for the number of locations) and shifted: q of at most
    FALSE_DISCOVERY_RATE and a change of at least MIN_CHANGE in either direction. There are no rows if fewer than
    MIN_LOCATIONS locations have enough sales in both periods.
    """
    counts = pd.concat([sales["location"].value_counts() for sales in (before, after)], axis=1)
    if (counts >= MIN_SALES).all(axis=1).sum() < MIN_LOCATIONS:
        return pd.DataFrame(columns=["location", "n", "change", "q", "shifted"])
    residuals = residual_levels(before, after, numeric, categorical)
    periods = [_medians(values, sales) for values, sales in zip(residuals, (before, after), strict=True)]
    medians = periods[0].join(periods[1], how="inner", lsuffix="_before", rsuffix="_after")
    shift = medians["median_after"] - medians["median_before"]
    # The index follows the city with a lag; only differences between locations count.
    shift = shift - shift.median()
    z = shift.abs() / np.hypot(medians["error_before"], medians["error_after"])
    q = false_discovery_control(2 * norm.sf(z))
    change = np.expm1(shift)
    shifted = (q <= FALSE_DISCOVERY_RATE) & (change.abs() >= MIN_CHANGE)
    table = pd.DataFrame({"n": medians["n_after"], "change": change, "q": q, "shifted": shifted})
    return table.rename_axis("location").reset_index().round(6).sort_values(["change", "location"], ignore_index=True)


def residual_levels(
    before: pd.DataFrame, after: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of price_level in both periods, by a regression fitted to the first."""
    both = pd.concat([before, after], ignore_index=True)
    is_before = np.arange(len(both)) < len(before)
    design = _design_matrix(both, is_before, numeric, ["location", *categorical])
    level = both["price_level"].to_numpy()
    coefficients, *_ = np.linalg.lstsq(design[is_before], level[is_before], rcond=1e-10)
    residuals = level - design @ coefficients
    return residuals[is_before], residuals[~is_before]


def _design_matrix(
    both: pd.DataFrame, is_before: np.ndarray, numeric: Sequence[str], categorical: Sequence[str]
) -> np.ndarray:
    """Indicators of categories; numbers, squares, and an indicator of missing ones (as the median)."""
    columns = [pd.get_dummies(both[name].fillna("unknown")).to_numpy(dtype=np.float64) for name in categorical]
    for name in numeric:
        value = both[name].to_numpy(dtype=np.float64)
        missing = np.isnan(value)
        if missing[is_before].all():
            continue
        median, spread = np.nanmedian(value[is_before]), np.nanstd(value[is_before]) or 1.0
        scaled = np.where(missing, 0.0, (value - median) / spread)
        columns.append(np.column_stack([scaled, scaled**2, missing]))
    return np.hstack(columns)


def _medians(residuals: np.ndarray, sales: pd.DataFrame) -> pd.DataFrame:
    """n, median and its standard error by location; the error is robust to the long tails of prices."""
    by_location = pd.Series(residuals).groupby(sales["location"].to_numpy())
    n, median = by_location.size(), by_location.median()
    deviation = by_location.agg(median_abs_deviation)
    # 1.4826 converts a median absolute deviation to σ; 1.2533 = √(π/2) is the ratio of the errors of median and mean.
    error = (1.4826 * 1.2533 * deviation / np.sqrt(n)).clip(lower=1e-6)
    return pd.DataFrame({"n": n, "median": median, "error": error})[n >= MIN_SALES]
