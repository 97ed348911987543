"""Planted faults: rows of the register with known errors, each kind at a known rate and labelled."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from homei.demo.text_formats import format_numbers, format_times, office_hours

DUPLICATE = "duplicate"
LATE_CORRECTION = "late_correction"
CORRECTED_SHARE = 0.005  # of the register's rows
UNDERSTATED = (0.88, 0.98)  # the first entry's price relative to the right one; it keeps the contract
CORRECTED_WITHIN = (5, 60)  # days after the first entry
SQUARE_FEET = 10.7639  # in a square metre
IMPOSSIBLE_PRICES = ("999999999", "123456789", "9999999999")
INVALID_DATES = ("2025-13-45", "31.02.2024", "unknown", "0000-00-00", "2024-02-30")


class Limits(NamedTuple):
    """Limits that faulty values exceed.

    `as_of` is the day of the data; `displacement` is how many degrees coordinates leave the city.
    """

    as_of: datetime.date
    displacement: tuple[float, float]


PlantFault = Callable[[pd.DataFrame, np.random.Generator, Limits], pd.DataFrame]


def _displaced(rows: pd.DataFrame, rng: np.random.Generator, limits: Limits) -> pd.DataFrame:
    error = rng.uniform(*limits.displacement, len(rows)) * rng.choice([-1, 1], len(rows))
    is_latitude = rng.random(len(rows)) < 0.5
    latitude, longitude = rows["latitude"].astype(float), rows["longitude"].astype(float)
    return rows.assign(
        latitude=format_numbers(latitude + np.where(is_latitude, error, 0), 6),
        longitude=format_numbers(longitude + np.where(is_latitude, 0, error), 6),
    )


FAULTS: dict[str, PlantFault] = {
    "missing_price": lambda rows, rng, limits: rows.assign(price=""),
    "missing_area": lambda rows, rng, limits: rows.assign(square_meters=""),
    "missing_location": lambda rows, rng, limits: rows.assign(district=""),
    "negative_price": lambda rows, rng, limits: rows.assign(price="-" + rows["price"]),
    "absurd_price": lambda rows, rng, limits: rows.assign(price=rng.choice(IMPOSSIBLE_PRICES, len(rows))),
    "absurd_area": lambda rows, rng, limits: rows.assign(square_meters=_multiplied(rows["square_meters"], 100, 0)),
    "area_in_square_feet": lambda rows, rng, limits: rows.assign(
        square_meters=_multiplied(rows["square_meters"], SQUARE_FEET, 1)
    ),
    "price_in_thousands": lambda rows, rng, limits: rows.assign(price=_multiplied(rows["price"], 0.001, 2)),
    "broken_date": lambda rows, rng, limits: rows.assign(sale_date=rng.choice(INVALID_DATES, len(rows))),
    "future_year_built": lambda rows, rng, limits: rows.assign(
        year_built=(limits.as_of.year + rng.integers(1, 75, len(rows))).astype(str)
    ),
    "outside_the_city": lambda rows, rng, limits: _displaced(rows, rng, limits),
}
FAULT_KINDS = (*FAULTS, DUPLICATE)


def plant_faults(
    rng: np.random.Generator, register: pd.DataFrame, shares: Mapping[str, float], limits: Limits
) -> pd.DataFrame:
    """The register (all strings) with faults, in file order, and a column `fault` (None if clean).

    Each kind affects its share of the rows, no row has two; a duplicate follows anywhere below its clean original.
    Raises ValueError for an unknown kind or for shares that sum up to more than 1.
    """
    counts = _counts(shares, len(register))
    picked = np.split(rng.permutation(len(register)), np.cumsum(list(counts.values())))
    rows = register.assign(fault=pd.Series(None, index=register.index, dtype=object))
    for kind, positions in zip(counts, picked, strict=False):
        if kind != DUPLICATE and len(positions):
            rows.iloc[positions] = FAULTS[kind](rows.iloc[positions], rng, limits).assign(fault=kind)
    originals = picked[list(counts).index(DUPLICATE)]
    copies = rows.iloc[originals].assign(fault=DUPLICATE)
    # Original rows have even positions; a copy takes an odd one, at the earliest right after its original.
    position = np.concatenate([2 * np.arange(len(rows)), 2 * rng.integers(originals, len(rows)) + 1])
    return pd.concat([rows, copies]).iloc[np.argsort(position, kind="stable")].reset_index(drop=True)


def plant_late_corrections(
    rng: np.random.Generator, register: pd.DataFrame, as_of: datetime.date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The register with some clean market sales priced too low, and later entries that correct them.

    `register` has fault, non_market, entry_no and changed_at. The first entries have the fault LATE_CORRECTION.
    """
    is_clean = register["fault"].isna() & register["non_market"].isna()
    is_clean &= ~register["transaction_id"].duplicated(keep=False)
    picked = np.sort(rng.permutation(np.flatnonzero(is_clean))[: int(CORRECTED_SHARE * len(register) + 0.5)])
    right = register.iloc[picked].reset_index(drop=True)
    rows = register.copy()
    too_low = right["price"].astype(float) * rng.uniform(*UNDERSTATED, len(right))
    rows.iloc[picked, rows.columns.get_loc("price")] = format_numbers(np.round(too_low, -1), 0)
    rows.iloc[picked, rows.columns.get_loc("fault")] = LATE_CORRECTION
    day = right["changed_at"].str[:10].to_numpy(dtype="datetime64[D]")
    day = np.minimum(day + rng.integers(*CORRECTED_WITHIN, len(right)), np.datetime64(as_of, "D"))
    corrections = right.assign(
        entry_no=[str(number) for number in len(register) + 1 + np.arange(len(right))],
        changed_at=format_times(day, office_hours(rng, len(right))),
    )
    return rows, corrections


def _counts(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    if unknown := sorted(set(shares) - set(FAULT_KINDS)):
        raise ValueError(
            f"simulate.faults: {', '.join(unknown)} is not a kind of fault; the kinds are {', '.join(FAULT_KINDS)}"
        )
    if sum(shares.values()) > 1:
        raise ValueError(f"simulate.faults: the shares sum up to {sum(shares.values()):g}, more than 1: lower them")
    return {kind: int(shares.get(kind, 0.0) * rows + 0.5) for kind in FAULT_KINDS}


def _multiplied(values: pd.Series, factor: float, decimals: int) -> list[str]:
    return format_numbers(values.astype(float) * factor, decimals)
