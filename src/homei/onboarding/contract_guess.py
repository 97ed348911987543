"""Guess of the contract: required columns, and ranges well beyond the sales' values."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from homei.config.columns import Column
from homei.ingestion.mapping import mapped
from homei.onboarding.attributes import first_numbers
from homei.onboarding.draft import FeedDraft, Guess
from homei.onboarding.input_tables import InputTable
from homei.onboarding.number_notation import weighted_quantile
from homei.onboarding.profiles import profile
from homei.validation.coordinate_texts import DIRECTIONS, coordinate
from homei.validation.numbers import number

MIDDLE = (0.05, 0.95)  # quantiles beyond which prices may be nominal or slips
WELL_KNOWN = 0.95  # the share of sales with an area from which on it is required


def numbers_of(feed: FeedDraft, table: InputTable, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a mapped column and how often each occurs; empty without such a column."""
    if name not in feed.columns or _is_looked_up(feed, name):
        return np.array([]), np.array([])
    declared = Column.model_validate(feed.columns[name].value)
    column = profile(name, mapped(table.sheet, {name: declared})[name]).tested
    values = np.array([_number(value, declared, feed.currency, name) for value in column.values], dtype=float)
    is_read = ~np.isnan(values)
    return values[is_read], column.counts[is_read]


def guess_contract(pairs: Sequence[tuple[FeedDraft, InputTable]], as_of: datetime.date) -> dict[str, Guess]:
    """Required columns, and ranges a good way beyond what the sales have."""
    required = ["sale_date", "price", "property_type", "location"]
    areas = [_coverage(table, feed, "square_meters") for feed, table in pairs]
    reason = "without a value, a sale is set aside"
    if min(areas) >= WELL_KNOWN:
        required.insert(2, "square_meters")
    elif max(areas) > 0:
        reason += "; square_meters is not: only part of the sales have it"
    ranges: dict[str, Any] = {}
    for name, distance in (("price", 20), ("square_meters", 5)):
        values, counts = (
            np.concatenate(each) for each in zip(*(numbers_of(*pair, name) for pair in pairs), strict=True)
        )
        if len(values) and (values > 0).any():
            values, counts = values[values > 0], counts[values > 0]
            low, high = (weighted_quantile(values, counts, share) for share in MIDDLE)
            ranges[name] = [_rounded(low / distance, -1), _rounded(high * distance, 1)]
    ratios = np.concatenate([price_ratios(feed, table) for feed, table in pairs])
    if len(ratios) >= 30:
        low, high = np.quantile(ratios, MIDDLE)
        ranges["price_per_square_meter"] = [_rounded(low / 8, -1), _rounded(high * 8, 1)]
    if any("year_built" in feed.columns for feed, _ in pairs):
        ranges["year_built"] = [1500, as_of.year + 5]
    return {
        "required": Guess("required", required, reason),
        "ranges": Guess("ranges", ranges, "well beyond the middle 90 % of the sales; values outside are set aside"),
    }


def _coverage(table: InputTable, feed: FeedDraft, name: str) -> float:
    """The share of rows with a positive number in a column; that of a lookup file is not known well."""
    if name not in feed.columns:
        return 0.0
    if _is_looked_up(feed, name):
        return 0.5
    declared = Column.model_validate(feed.columns[name].value)
    column = profile(name, mapped(table.sheet, {name: declared})[name])
    values, counts = numbers_of(feed, table, name)
    return column.coverage * float(counts[values > 0].sum() / max(column.tested.n_filled, 1))


def _is_looked_up(feed: FeedDraft, name: str) -> bool:
    value = feed.columns[name].value
    return isinstance(value, dict) and "lookup" in value


def price_ratios(feed: FeedDraft, table: InputTable) -> np.ndarray:
    """Prices per square metre of the first rows."""
    if not {"price", "square_meters"} <= feed.columns.keys() or _is_looked_up(feed, "square_meters"):
        return np.array([])
    declared = {name: Column.model_validate(feed.columns[name].value) for name in ("price", "square_meters")}
    rows = mapped(table.sheet, declared)
    price, area = (first_numbers(rows[name], column, feed.currency) for name, column in declared.items())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = price / area
    return ratios[np.isfinite(ratios) & (ratios > 0)]


def _number(cell: str, declared: Column, currency: str | None, name: str) -> float | None:
    return coordinate(cell, declared, name) if name in DIRECTIONS else number(cell, declared, currency)


def _rounded(value: float, direction: int) -> int:
    """The nearest 1, 2 or 5 times a power of ten: at or below (direction -1), or at or above."""
    power = 10.0 ** np.floor(np.log10(value))
    steps = [power * step for step in (1, 2, 5, 10)]
    nearest = (
        max(step for step in steps if step <= value) if direction < 0 else min(step for step in steps if step >= value)
    )
    return max(int(nearest), 1)
