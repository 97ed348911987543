"""Planted faults: rows of the register spoiled in known ways, each at a known rate and with its label."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

DUPLICATE = "duplicate"
SQUARE_FEET = 10.7639  # in a square metre
ABSURD_PRICES = ("999999999", "123456789", "9999999999")
BROKEN_DATES = ("2025-13-45", "31.02.2024", "unknown", "0000-00-00", "2024-02-30")

Spoil = Callable[[pd.DataFrame, np.random.Generator, datetime.date], pd.DataFrame]


def _degrees_off(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    # Two degrees are far beyond any city, whichever of the two coordinates goes wrong.
    off = rng.uniform(2, 9, len(rows)) * rng.choice([-1, 1], len(rows))
    north = rng.random(len(rows)) < 0.5
    latitude, longitude = rows["latitude"].astype(float), rows["longitude"].astype(float)
    return rows.assign(
        latitude=_decimals(latitude + np.where(north, off, 0), 6),
        longitude=_decimals(longitude + np.where(north, 0, off), 6),
    )


SPOILS: dict[str, Spoil] = {
    "missing_price": lambda rows, rng, as_of: rows.assign(price=""),
    "missing_area": lambda rows, rng, as_of: rows.assign(square_meters=""),
    "missing_location": lambda rows, rng, as_of: rows.assign(district=""),
    "negative_price": lambda rows, rng, as_of: rows.assign(price="-" + rows["price"]),
    "absurd_price": lambda rows, rng, as_of: rows.assign(price=rng.choice(ABSURD_PRICES, len(rows))),
    "absurd_area": lambda rows, rng, as_of: rows.assign(square_meters=_times(rows["square_meters"], 100, 0)),
    "area_in_square_feet": lambda rows, rng, as_of: rows.assign(
        square_meters=_times(rows["square_meters"], SQUARE_FEET, 1)
    ),
    "price_in_thousands": lambda rows, rng, as_of: rows.assign(price=_times(rows["price"], 0.001, 2)),
    "broken_date": lambda rows, rng, as_of: rows.assign(sale_date=rng.choice(BROKEN_DATES, len(rows))),
    "future_year_built": lambda rows, rng, as_of: rows.assign(
        year_built=(as_of.year + rng.integers(1, 75, len(rows))).astype(str)
    ),
    "outside_the_city": lambda rows, rng, as_of: _degrees_off(rows, rng),
}
KINDS = (*SPOILS, DUPLICATE)


def plant(
    rng: np.random.Generator, register: pd.DataFrame, shares: Mapping[str, float], as_of: datetime.date
) -> pd.DataFrame:
    """The register (all strings) with its faults, in file order, and a column `fault` (None where a row is clean).

    Each kind spoils its share of the rows, no row twice; a duplicate comes anywhere below its clean original and is
    itself the fault. Raises ValueError for an unknown kind or for shares that sum up to more than 1.
    """
    counts = _counts(shares, len(register))
    picked = np.split(rng.permutation(len(register)), np.cumsum(list(counts.values())))
    rows = register.assign(fault=pd.Series(None, index=register.index, dtype=object))
    for kind, spoiled in zip(counts, picked, strict=False):
        if kind != DUPLICATE and len(spoiled):
            rows.iloc[spoiled] = SPOILS[kind](rows.iloc[spoiled], rng, as_of).assign(fault=kind)
    originals = picked[list(counts).index(DUPLICATE)]
    copies = rows.iloc[originals].assign(fault=DUPLICATE)
    # Even positions are the register's own; a copy takes an odd one, right after its original at the earliest.
    position = np.concatenate([2 * np.arange(len(rows)), 2 * rng.integers(originals, len(rows)) + 1])
    return pd.concat([rows, copies]).iloc[np.argsort(position, kind="stable")].reset_index(drop=True)


def _counts(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    if unknown := sorted(set(shares) - set(KINDS)):
        raise ValueError(f"simulate.faults: {', '.join(unknown)} is no kind of fault: it is one of {', '.join(KINDS)}")
    if sum(shares.values()) > 1:
        raise ValueError(
            f"simulate.faults: the shares sum up to {sum(shares.values()):g}: a row takes one fault, so at most 1"
        )
    return {kind: int(shares.get(kind, 0.0) * rows + 0.5) for kind in KINDS}


def _times(values: pd.Series, factor: float, decimals: int) -> list[str]:
    return _decimals(values.astype(float) * factor, decimals)


def _decimals(values: pd.Series, decimals: int) -> list[str]:
    return [f"{value:.{decimals}f}" for value in values]
