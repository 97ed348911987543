"""The simulated market: which property sells when, and at what price, noise-free and paid."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from homei.config import Shift, Simulate
from homei.demo.city import City
from homei.demo.homes import age_value

BASE = 8.12  # log price per m² of the usual home in the first month: some 3,400
REACH = 0.60  # how far a home's log price per m² may lie from that, the market and the noise aside
# Clean prices per m². The top over the bottom is below 10.76, the square feet in a square metre, times the contract's
# 1,000: a price per m² from an area in square feet is out of range however dear the home.
LOWEST, HIGHEST = 1_150.0, 9_800.0
TAIL = 4.0  # σ at which the noise is cut off


def month_levels(months: int) -> np.ndarray:
    """The market's log level by month: +20 % over the whole period, a cycle of 42 months, a season of ±1.5 %."""
    month = np.arange(months)
    trend = np.log(1.2) * month / (months - 1)
    return trend + 0.02 * np.sin(2 * np.pi * month / 42) + 0.015 * np.sin(2 * np.pi * (month - 2) / 12)


def shifted_districts(rng: np.random.Generator, city: City, shift: Shift) -> list[int]:
    """Rows of the districts that shift, in order; raises ValueError where there are too few to choose from.

    They come from the middle half by size: big enough to be noticed, small enough to leave the city's median alone.
    """
    quarter = len(city.districts) // 4
    middling = np.argsort(city.districts["weight"].to_numpy(), kind="stable")[quarter : len(city.districts) - quarter]
    if not 0 <= shift.districts <= len(middling):
        raise ValueError(f"simulate.shift.districts: {shift.districts} is not between 0 and {len(middling)}")
    return sorted(rng.permutation(middling)[: shift.districts].tolist())


def draw_sales(
    rng: np.random.Generator, homes: pd.DataFrame, size: int, as_of: datetime.date, months: int
) -> pd.DataFrame:
    """`size` sales in order of date, no property twice a month: home (row of homes), step (month), sale_date.

    Raises ValueError where the properties are too few to sell that often.
    """
    if size > len(homes) * months / 8:
        raise ValueError(
            f"simulate.sales: {size} is too many for {len(homes)} properties in {months} months: "
            f"at most {len(homes) * months // 8}"
        )
    busy = 1 + 0.2 * np.sin(2 * np.pi * (np.arange(months) - 2) / 12)
    turnover = homes["turnover"] / homes["turnover"].sum()
    drawn = pd.DataFrame({"home": [], "step": []}, dtype=np.int64)
    while len(drawn) < size:
        more = pd.DataFrame(
            {
                "home": rng.choice(len(homes), size, p=turnover),
                "step": rng.choice(months, size, p=busy / busy.sum()),
            }
        )
        more = more[more["step"].to_numpy() >= homes["ready"].to_numpy()[more["home"]]]
        drawn = pd.concat([drawn, more]).drop_duplicates()
    sales = drawn[:size].assign(sale_date=lambda sale: _days(rng, sale["step"].to_numpy(), as_of, months))
    return sales.sort_values(["sale_date", "home"], ignore_index=True)


def price_sales(
    rng: np.random.Generator, sales: pd.DataFrame, homes: pd.DataFrame, shifted: list[int], simulate: Simulate
) -> pd.DataFrame:
    """The sales with true_price (noise-free) and price (paid), in money: to cents and to whole tens."""
    sold = homes.iloc[sales["home"]].reset_index(drop=True)
    year = sales["sale_date"].dt.year.to_numpy()
    truth = true_prices(sold, sales["step"].to_numpy(), year, shifted, simulate)
    noise = np.clip(rng.standard_normal(len(sales)), -TAIL, TAIL)
    paid = truth * np.exp(simulate.noise * noise)
    return sales.assign(true_price=truth.round(2), price=np.round(paid, -1).astype(np.int64))


def true_prices(
    homes: pd.DataFrame, step: np.ndarray, year: np.ndarray, shifted: list[int], simulate: Simulate
) -> np.ndarray:
    """What each home is worth in its month (`step`, counted from the first) and year, without noise, in money."""
    home = bounded(homes["value"].to_numpy() + age_value(homes["year_built"].to_numpy(), year), reach(simulate))
    turned = homes["district"].isin(shifted) & (step >= simulate.months - simulate.shift.months)
    level = BASE + home + month_levels(simulate.months)[step] + np.where(turned, simulate.shift.change, 0.0)
    return homes["square_meters"].to_numpy() * np.exp(level)


def reach(simulate: Simulate) -> float:
    """How far homes may differ so that every clean price per m² keeps to its range; raises ValueError if hardly."""
    levels, change = month_levels(simulate.months), simulate.shift.change
    below = BASE + levels.min() + min(change, 0.0) - np.log(LOWEST)
    above = np.log(HIGHEST) - BASE - levels.max() - max(change, 0.0)
    room = min(below, above) - TAIL * simulate.noise - 0.001
    if room < REACH / 2:
        raise ValueError(
            f"simulate: a noise of {simulate.noise:g} and a shift of {change:g} leave clean prices no room between "
            f"{LOWEST:g} and {HIGHEST:g} per m²: lower them (0.06 and -0.18 are the defaults)"
        )
    return min(REACH, room)


def bounded(value: np.ndarray, limit: float) -> np.ndarray:
    """`value` bent to lie within ±limit: within 1 % of itself up to half of it, so that effects stay additive."""
    return value / np.sqrt(np.sqrt(1 + (value / limit) ** 4))


def _days(rng: np.random.Generator, step: np.ndarray, as_of: datetime.date, months: int) -> np.ndarray:
    month = np.datetime64(as_of, "M") - (months - 1) + step
    first = month.astype("datetime64[D]")
    length = ((month + 1).astype("datetime64[D]") - first).astype(np.int64)
    days = first + rng.integers(0, length).astype("timedelta64[D]")
    return np.minimum(days, np.datetime64(as_of, "D")).astype("datetime64[s]")
