"""Locations whose price level shifted against the city's, tested without any valuation model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

MIN_CHANGE = 0.05  # relative; smaller changes can come from a location's mix of properties
FALSE_DISCOVERY_RATE = 0.01
MIN_SALES = 10  # of a location in either period


def location_shifts(
    before: pd.DataFrame, after: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> pd.DataFrame:
    """The change of each location's price level relative to the city's, the largest fall first.

    Both frames have price_level (log price per m² relative to the city's index), location and the named attributes.
    Effects of attributes are removed by regression; the medians of the residuals are compared. Columns: location, n
    (sales after), change (relative), q (p-value adjusted for the number of locations) and shifted: q of at most
    FALSE_DISCOVERY_RATE and a change of at least MIN_CHANGE in either direction.
    """
    residuals = residual_levels(before, after, numeric, categorical)
    periods = [_medians(values, sales) for values, sales in zip(residuals, (before, after), strict=True)]
    medians = periods[0].join(periods[1], how="inner", lsuffix="_before", rsuffix="_after")
    shift = medians["median_after"] - medians["median_before"]
    # The index follows the city with a lag; only differences between locations count.
    shift = shift - shift.median()
    z = shift.abs() / np.hypot(medians["error_before"], medians["error_after"])
    q = false_discovery_control(2 * norm.sf(z)) if len(z) else z.to_numpy()
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
    deviation = by_location.agg(lambda values: (values - values.median()).abs().median())
    # 1.4826 converts a median absolute deviation to σ; 1.2533 = √(π/2) is the ratio of the errors of median and mean.
    error = (1.4826 * 1.2533 * deviation / np.sqrt(n)).clip(lower=1e-6)
    return pd.DataFrame({"n": n, "median": median, "error": error})[n >= MIN_SALES]
