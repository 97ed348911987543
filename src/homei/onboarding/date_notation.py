"""Notation of a column of dates: format, serial numbers, and the zone of instants."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from homei.config.columns import Column
from homei.onboarding.number_notation import missing_codes
from homei.onboarding.profiles import ColumnProfile, Reading, best_readings
from homei.validation.dates import date, suspect_midnights

ENOUGH = 0.8
EARLIEST, LATEST = datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S")
_HAS_DATE = re.compile(r"\d{4,}|\d{1,4}\D{1,3}(\d{1,2}|[A-Za-z]{3,9})|[A-Za-z]{3,9}\W{1,2}\d|[Qq]\d")
_QUARTER = re.compile(r".*[QqTK]\D{0,2}[1-4]\D.*|.*[QqTK]\s?[1-4]$|[1-4]\s?[QqTK].*|.*[1-4](四半期|季度)")


@dataclass(frozen=True)
class DateNotation:
    """Options of a column under which most of its cells are dates, and the dates with their counts.

    `rivals` are formats that read as many cells, but as other dates. `instants` describes cells that look like
    midnights of another time zone; it is empty for all others.
    """

    options: dict[str, Any]
    share: float
    dates: np.ndarray
    counts: np.ndarray
    missing: list[str] = field(default_factory=list)
    rivals: list[dict[str, Any]] = field(default_factory=list)
    instants: str = ""


def date_notation(column: ColumnProfile, is_excel: bool = False) -> DateNotation | None:
    """The notation under which most cells of a column parse as dates; None if fewer than ENOUGH do."""
    missing = missing_codes(column)
    tested = column.without(missing).tested
    if not tested.n_filled or tested.share(_HAS_DATE.search) < ENOUGH:
        return None
    readings = [(options, _read(tested, options)) for options in _candidates(tested, is_excel)]
    best, equal = best_readings(tested, readings, np.isnat)
    if best < ENOUGH:
        return None
    options, dates = equal[0]
    # Formats that read the same dates are one; of the others, those that make implausible dates are dropped.
    distinct = [(options, dates), *(pair for pair in equal[1:] if not np.array_equal(pair[1], dates, equal_nan=True))]
    plausible = _plausible(distinct)
    options, dates = plausible[0]
    is_read = ~np.isnat(dates)
    rivals = [other for other, _ in plausible[1:]]
    instants = suspect_midnights(tested.values, Column(column="x", **options)) or ""
    return DateNotation(options, best, dates[is_read], tested.counts[is_read], missing, rivals, instants)


def _candidates(column: ColumnProfile, is_excel: bool) -> Iterator[dict[str, Any]]:
    """The options worth testing: those that read at least a fifth of the first values."""
    first = column.values[:40]
    digits = [value for value in column.values if re.fullmatch(r"-?\d+(\.\d+)?", value)]
    if len(digits) == len(column.values):
        lengths = {len(value.partition(".")[0].lstrip("-")) for value in digits}
        if lengths <= {18, 19}:
            yield {"format": "epoch_nanoseconds"}
        elif lengths <= {15, 16}:
            yield {"format": "epoch_microseconds"}
        elif lengths <= {11, 12, 13}:
            yield {"format": "epoch_milliseconds"}
        elif lengths <= {9, 10}:
            yield {"format": "epoch_seconds"}
        elif lengths == {5} and all(15_000 < float(value) < 60_000 for value in digits):
            yield {"serial": True}
        elif lengths == {8}:
            yield from ({"format": order} for order in ("%Y%m%d", "%d%m%Y", "%m%d%Y"))
        elif lengths == {6}:
            yield {"format": "%Y%m"}
        return
    if column.share(_QUARTER.fullmatch) > 0.5:
        yield {"format": "quarter"}
    yield {}
    has_serial = is_excel and bool(digits)
    for layout in _formats(first):
        # A number could be a date in a format without separators, so `serial` can't go with it.
        if has_serial and not re.search(r"[./\- ]", layout):
            continue
        options = {"format": layout} | ({"serial": True} if has_serial else {})
        if sum(date(value, Column(column="x", **options)) is not None for value in first) >= len(first) / 5:
            yield options
    if has_serial:
        yield {"serial": True}


def _formats(values: list[str]) -> Iterator[str]:
    """strptime formats with the separators that the values have."""
    marks = sorted({mark for value in values for mark in re.findall(r"[./\- ]", value)}, key="./- ".index) or [""]
    marks += [mark for mark in (". ", ", ") if any(mark in value for value in values)]
    orders = [
        ("%d", "%m", "%Y"), ("%m", "%d", "%Y"), ("%Y", "%m", "%d"), ("%Y", "%d", "%m"),
        ("%d", "%m", "%y"), ("%m", "%d", "%y"), ("%y", "%m", "%d"),
        ("%d", "%b", "%Y"), ("%d", "%B", "%Y"), ("%b", "%d", "%Y"), ("%d", "%b", "%y"), ("%Y", "%b", "%d"),
        ("%m", "%Y"), ("%Y", "%m"), ("%b", "%Y"), ("%B", "%Y"), ("%Y", "%b"), ("%b", "%y"), ("%m", "%y"),
    ]  # fmt: skip
    has_time = any(re.search(r"\d:\d\d", value) for value in values)
    for mark in marks:
        for order in orders:
            for time in TIMES[1:] if has_time else TIMES[:1]:
                yield mark.join(order) + time
    yield from (
        "%Y年%m月%d日",
        "%Y年%m月",
        "%Y년 %m월 %d일",
        "%Y년 %m월",
        "%Y.%m.%d.",
        "%Y. %m. %d.",
        "%d.%m.%Y.",
        "%d. %m. %Y.",
    )
    yield from ("%Y%m%dT%H%M%S", "%Y%m%d%H%M%S", "%d%b%Y", "%B %d, %Y", "%b %d, %Y", "%a %b %d %Y")


def _read(column: ColumnProfile, options: dict[str, Any]) -> np.ndarray:
    declared = Column(column="x", **options)
    dates = [date(value, declared) for value in column.values]
    plausible = [day if day is not None and EARLIEST <= day < LATEST else None for day in dates]
    return np.array(plausible, dtype="datetime64[D]")


def _plausible(readings: list[Reading]) -> list[Reading]:
    """The readings without those that no register has, if others remain.

    Sales lie on many days of a month and in several months of a year: a reading with one month but many days, or with
    far more years than days, has its parts in the wrong order.
    """
    if len(readings) == 1:
        return readings

    def parts(dates: np.ndarray) -> tuple[int, int, int]:
        days = dates[~np.isnat(dates)]
        months = days.astype("datetime64[M]")
        n_days = len(np.unique((days - months).astype(int)))
        n_months = len(np.unique(months.astype(int) % 12))
        return n_days, n_months, len(np.unique(days.astype("datetime64[Y]")))

    plausible = []
    for options, dates in readings:
        n_days, n_months, n_years = parts(dates)
        if not ((n_months == 1 and n_days >= 6) or n_years > 3 * n_days):
            plausible.append((options, dates))
    return plausible or readings
