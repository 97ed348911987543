"""The simulated market: which property sells when, its true price and the price paid."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from homei.demo.config import ShiftConfig, SimulateConfig
from homei.demo.synthetic_properties import age_value
from homei.demo.unobserved_value import UnobservedValue

BASE = 8.12  # log price per m² of the usual property in the first month: about 3,400
LARGEST_DIFFERENCE = 0.60  # between a property's log price per m² and BASE, apart from market, shift and noise
# Bounds of clean prices per m². Their ratio is below 10.76, the square feet in a square metre, and below 1,000: a price
# per m² from an area in square feet or a price in thousands is always out of the contract's range.
LOWEST, HIGHEST = 1_150.0, 9_800.0
LARGEST_NOISE = 4.0  # standard deviations at which the noise is cut off


def month_levels(months: int) -> np.ndarray:
    """The market's log level by month: +20 % in all, a cycle of 42 months, a season of ±1.5 %."""
    month = np.arange(months)
    trend = np.log(1.2) * month / (months - 1)
    return trend + 0.02 * np.sin(2 * np.pi * month / 42) + 0.015 * np.sin(2 * np.pi * (month - 2) / 12)


def draw_shifted_districts(rng: np.random.Generator, district: np.ndarray, shift: ShiftConfig) -> list[int]:
    """Rows of the districts that shift, in order; raises ValueError if there are too few to choose from.

    `district` is that of each property. Candidates are the middle half of the districts by number of properties: large
    enough to be noticed, too small to move the city's median.
    """
    n_properties = np.bincount(district)
    quarter = len(n_properties) // 4
    candidates = np.argsort(n_properties, kind="stable")[quarter : len(n_properties) - quarter]
    if not 0 <= shift.districts <= len(candidates):
        raise ValueError(f"simulate.shift.districts: {shift.districts} is not between 0 and {len(candidates)}")
    return sorted(rng.permutation(candidates)[: shift.districts].tolist())


def draw_sales(
    rng: np.random.Generator, properties: pd.DataFrame, n_sales: int, as_of: datetime.date, months: int
) -> pd.DataFrame:
    """`n_sales` sales in order of date: property_row (row of `properties`), month (from 0) and sold_on.

    No property sells twice in a month. Raises ValueError if there are too few properties for so many sales.
    """
    if n_sales > len(properties) * months / 8:
        raise ValueError(
            f"simulate.sales: {n_sales} is too many for {len(properties)} properties in {months} months: "
            f"at most {len(properties) * months // 8}"
        )
    activity = 1 + 0.2 * np.sin(2 * np.pi * (np.arange(months) - 2) / 12)
    turnover = properties["turnover"] / properties["turnover"].sum()
    completed_in = properties["completed_in"].to_numpy()
    sales = pd.DataFrame({"property_row": [], "month": []}, dtype=np.int64)
    while len(sales) < n_sales:
        row = rng.choice(len(properties), n_sales, p=turnover)
        month = rng.choice(months, n_sales, p=activity / activity.sum())
        candidates = pd.DataFrame({"property_row": row, "month": month})[month >= completed_in[row]]
        sales = pd.concat([sales, candidates]).drop_duplicates()
    sales = sales[:n_sales].assign(sold_on=lambda sale: _draw_days(rng, sale["month"].to_numpy(), as_of, months))
    return sales.sort_values(["sold_on", "property_row"], ignore_index=True)


def price_sales(
    rng: np.random.Generator,
    sales: pd.DataFrame,
    properties: pd.DataFrame,
    unobserved: UnobservedValue,
    shifted_districts: list[int],
    simulate: SimulateConfig,
) -> pd.DataFrame:
    """The sales with true_price (without noise, to the cent) and price (paid, in whole tens)."""
    property_row, month, year = sales["property_row"].to_numpy(), sales["month"].to_numpy(), sales["sold_on"].dt.year
    truth = true_prices(properties, property_row, month, year.to_numpy(), unobserved, shifted_districts, simulate)
    noise = np.clip(rng.standard_normal(len(sales)), -LARGEST_NOISE, LARGEST_NOISE)
    paid = truth * np.exp(simulate.noise * noise)
    return sales.assign(true_price=truth.round(2), price=np.round(paid, -1).astype(np.int64))


def true_prices(
    properties: pd.DataFrame,
    property_row: np.ndarray,
    month: np.ndarray,
    year: np.ndarray,
    unobserved: UnobservedValue,
    shifted_districts: list[int],
    simulate: SimulateConfig,
) -> np.ndarray:
    """The price without noise of each pair of property (row) and month (from 0, with its year)."""
    value, year_built, area, district = (
        properties[name].to_numpy()[property_row] for name in ("value", "year_built", "square_meters", "district")
    )
    difference = value + age_value(year_built, year) + unobserved.at(property_row, month)
    is_shifted = np.isin(district, shifted_districts) & (month >= simulate.months - simulate.shift.months)
    level = BASE + month_levels(simulate.months)[month] + np.where(is_shifted, simulate.shift.change, 0.0)
    return area * np.exp(level + bounded(difference, largest_difference(simulate)))


def largest_difference(simulate: SimulateConfig) -> float:
    """The difference between properties that keeps prices per m² between LOWEST and HIGHEST.

    Raises ValueError if noise and shift leave too little room.
    """
    levels, change = month_levels(simulate.months), simulate.shift.change
    below = BASE + levels.min() + min(change, 0.0) - np.log(LOWEST)
    above = np.log(HIGHEST) - BASE - levels.max() - max(change, 0.0)
    limit = min(below, above) - LARGEST_NOISE * simulate.noise - 0.001
    if limit < LARGEST_DIFFERENCE / 2:
        raise ValueError(
            f"simulate: a noise of {simulate.noise:g} and a shift of {change:g} leave clean prices no room between "
            f"{LOWEST:g} and {HIGHEST:g} per m²: lower them (0.06 and -0.18 are the defaults)"
        )
    return min(LARGEST_DIFFERENCE, limit)


def bounded(value: np.ndarray, limit: float) -> np.ndarray:
    """`value` bent to lie within ±limit; up to half the limit it changes by under 2 %."""
    return value / np.sqrt(np.sqrt(1 + (value / limit) ** 4))


def _draw_days(rng: np.random.Generator, month: np.ndarray, as_of: datetime.date, months: int) -> np.ndarray:
    calendar_month = np.datetime64(as_of, "M") - (months - 1) + month
    first = calendar_month.astype("datetime64[D]")
    length = ((calendar_month + 1).astype("datetime64[D]") - first).astype(np.int64)
    days = first + rng.integers(0, length).astype("timedelta64[D]")
    return np.minimum(days, np.datetime64(as_of, "D")).astype("datetime64[s]")
