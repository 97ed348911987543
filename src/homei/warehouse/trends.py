"""The market over time: published periods of one frequency, without gaps, each with its change since earlier ones."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Select, bindparam, exists, select

from homei.warehouse.tables import ALL, market_trends

Frequency = Literal["month", "quarter", "year"]
MONTHS: dict[Frequency, int] = {"month": 1, "quarter": 3, "year": 12}
TOLD = (
    "market_sales", "median_price", "average_price_per_square_meter", "price_index", "inventory", "new_listings",
    "closed_listings",
)  # fmt: skip
CHANGES = ("index_change", "index_change_year", "median_change", "median_change_year")
# A period that is not published.
UNKNOWN = {**dict.fromkeys((*TOLD, *CHANGES)), "market_sales": 0}


@dataclass(frozen=True)
class Market:
    """What is asked for: None stands for all locations, or all types together."""

    location: str | None
    property_type: str | None
    months: int
    frequency: Frequency


def find(connection: Connection, market: Market, as_of: datetime.date) -> list[dict[str, Any]]:
    """A row a period, the earliest first, whole periods that cover the last `months` up to the month of `as_of`.

    A period without sales has `market_sales` 0 and no prices. `<what>_change` is the change since the period before,
    `<what>_change_year` since the same a year before, as fractions; None where one of the two is unknown.
    """
    step = MONTHS[market.frequency]
    last = _number(as_of) // step * step
    first = (_number(as_of) - market.months + 1) // step * step
    known = _known(connection, market, _day(first - 12), _day(last))
    return [_told(known, number, step) for number in range(first, last + 1, step)]


def is_known(connection: Connection, column: Literal["location", "property_type"], value: str) -> bool:
    """Whether anything is told of a location, or of a type."""
    other = "property_type" if column == "location" else "location"
    c = market_trends.c
    at = select(market_trends).where(c.frequency == "year", c[column] == value)
    # By the whole key first: nearly always there, and found at once.
    return any(connection.execute(select(exists(query))).scalar_one() for query in (at.where(c[other] == ALL), at))


def _known(
    connection: Connection, market: Market, first: datetime.date, last: datetime.date
) -> dict[int, dict[str, Any]]:
    """What is TOLD of the published periods, by the number of their first month."""
    asked = {
        "frequency": market.frequency,
        "location": ALL if market.location is None else market.location,
        "property_type": ALL if market.property_type is None else market.property_type,
        "first": first,
        "last": last,
    }
    return {
        _number(period): dict(zip(TOLD, told, strict=True)) for period, *told in connection.execute(_PERIODS, asked)
    }


def _periods() -> Select:
    c = market_trends.c
    keys = (c[name] == bindparam(name) for name in ("frequency", "location", "property_type"))
    told = select(c.period, *(c[name] for name in TOLD))
    return told.where(*keys, c.period.between(bindparam("first"), bindparam("last")))


_PERIODS = _periods()  # put together once: that takes longer than the answer


def _told(known: dict[int, dict[str, Any]], number: int, step: int) -> dict[str, Any]:
    now = known.get(number)
    if now is None:
        return {"period": _day(number), **UNKNOWN}
    before, year = known.get(number - step, UNKNOWN), known.get(number - 12, UNKNOWN)
    index, median = now["price_index"], now["median_price"]
    return {
        "period": _day(number),
        **now,
        "index_change": _change(index, before["price_index"]),
        "index_change_year": _change(index, year["price_index"]),
        "median_change": _change(median, before["median_price"]),
        "median_change_year": _change(median, year["median_price"]),
    }


def _change(new: float | None, old: float | None) -> float | None:
    return None if new is None or not old else round(new / old - 1, 4)


def _number(day: datetime.date) -> int:
    return day.year * 12 + day.month - 1


@functools.lru_cache(maxsize=2_000)
def _day(number: int) -> datetime.date:
    return datetime.date(number // 12, number % 12 + 1, 1)
