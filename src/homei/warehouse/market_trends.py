"""Queries of market trends: consecutive periods, each with its changes since earlier periods."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, exists, select

from homei.warehouse.tables import ALL, market_trends

Frequency = Literal["month", "quarter", "year"]
MONTHS: dict[Frequency, int] = {"month": 1, "quarter": 3, "year": 12}
FIGURES = (
    "market_sales", "median_price", "average_price_per_square_meter", "price_index", "inventory", "new_listings",
    "closed_listings",
)  # fmt: skip
# A period that is not published.
NO_FIGURES: dict[str, Any] = dict.fromkeys(FIGURES) | {"market_sales": 0}


@dataclass(frozen=True)
class TrendQuery:
    """Which trends: None stands for all locations, or all property types together."""

    location: str | None
    property_type: str | None
    months: int
    frequency: Frequency


def trend_periods(connection: Connection, query: TrendQuery, as_of: datetime.date) -> list[dict[str, Any]]:
    """A row per period that the last `months` up to the month of `as_of` touch, the earliest first.

    A period without sales has `market_sales` 0 and no prices. `<figure>_change` is the change since the period
    before, `<figure>_change_year` since the same period a year before, as fractions; None if one of them is unknown.
    """
    step = MONTHS[query.frequency]
    last = _month_number(as_of) // step * step
    first = (_month_number(as_of) - query.months + 1) // step * step
    published = _published_periods(connection, query, _first_day(first - 12), _first_day(last))
    return [_with_changes(published, number, step) for number in range(first, last + 1, step)]


def has_trends(connection: Connection, column: Literal["location", "property_type"], value: str) -> bool:
    """Whether anything is published about a location, or about a property type."""
    query = select(market_trends).where(market_trends.c.frequency == "year", market_trends.c[column] == value)
    return connection.execute(select(exists(query))).scalar_one()


def _published_periods(
    connection: Connection, query: TrendQuery, first: datetime.date, last: datetime.date
) -> dict[int, dict[str, Any]]:
    """The FIGURES of the published periods by the number of their first month."""
    c = market_trends.c
    statement = select(c.period, *(c[name] for name in FIGURES)).where(
        c.frequency == query.frequency,
        c.location == (ALL if query.location is None else query.location),
        c.property_type == (ALL if query.property_type is None else query.property_type),
        c.period.between(first, last),
    )
    rows = connection.execute(statement)
    return {_month_number(period): dict(zip(FIGURES, figures, strict=True)) for period, *figures in rows}


def _with_changes(published: dict[int, dict[str, Any]], number: int, step: int) -> dict[str, Any]:
    figures = published.get(number, NO_FIGURES)
    before, year_before = published.get(number - step, NO_FIGURES), published.get(number - 12, NO_FIGURES)
    return {
        "period": _first_day(number),
        **figures,
        "index_change": _change(figures, before, "price_index"),
        "index_change_year": _change(figures, year_before, "price_index"),
        "median_change": _change(figures, before, "median_price"),
        "median_change_year": _change(figures, year_before, "median_price"),
    }


def _change(figures: dict[str, Any], earlier: dict[str, Any], name: str) -> float | None:
    new, old = figures[name], earlier[name]
    return None if new is None or not old else round(new / old - 1, 4)


def _month_number(day: datetime.date) -> int:
    return day.year * 12 + day.month - 1


def _first_day(number: int) -> datetime.date:
    return datetime.date(number // 12, number % 12 + 1, 1)
