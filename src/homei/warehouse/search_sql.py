"""Property search in SQL: conditions, ordering, one page by keyset, and a capped count.

A page starts after a value of the ordering and a property_id (keyset pagination), so that the thousandth page costs
what the first one does and no property appears twice. An ordering lists only properties that have its attribute.
The indexes that these queries rely on are described in tables.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, case, func, literal, select, tuple_

from homei.warehouse.search_terms import address_matches
from homei.warehouse.shards import shard_of
from homei.warehouse.tables import STRIP_HEIGHT, property_analytics

DISTANCE = "distance"
RANGES = {"price": "price", "area": "square_meters", "bedrooms": "bedrooms", "year": "year_built"}
ORDERINGS = ("price", "area", "year", DISTANCE)
MAX_COUNTED = 1_000
MAX_STRIPS = 200  # of a box that are listed one by one; a taller box is a range of strips

_c = property_analytics.c
_SHOWN = (
    "property_id", "address", "location", "property_type", "square_meters", "bedrooms", "bathrooms", "floor",
    "year_built", "latitude", "longitude", "is_listed", "price", "valued_price", "valued_low", "valued_high",
    "confidence", "flags",
)  # fmt: skip
_SHOWN_COLUMNS = [*(_c[name] for name in _SHOWN), case((_c.is_listed, _c.last_asking_price)).label("asking_price")]


@dataclass(frozen=True)
class SearchFilters:
    """Conditions that hold together, in the source's coordinates and metres; None is no condition."""

    location: str | None = None
    property_type: str | None = None
    price_min: float | None = None
    price_max: float | None = None
    area_min: float | None = None
    area_max: float | None = None
    bedrooms_min: float | None = None
    bedrooms_max: float | None = None
    year_min: int | None = None
    year_max: int | None = None
    south: float | None = None
    west: float | None = None
    north: float | None = None
    east: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius: float | None = None
    address: str | None = None


class CoordinateScale(NamedTuple):
    """The source's coordinate system, and metres in a unit of longitude (`east`) and of latitude."""

    system: Literal["wgs84", "plane"]
    east: float
    north: float


class PageStart(NamedTuple):
    """Where a page starts: after this value of the ordering and property, or before (`backwards`)."""

    value: float
    property_id: str
    backwards: bool = False


@dataclass(frozen=True)
class Page:
    """A page of properties: their columns, `order_value`, and with a radius `square_distance` (m²).

    `n_matches` counts the properties on all pages, MAX_COUNTED + 1 standing for any larger number.
    """

    rows: list[RowMapping]
    has_previous: bool
    has_next: bool
    n_matches: int


@dataclass(frozen=True)
class PropertySearch:
    """Filters with an ordering: `ordering` is one of ORDERINGS, `distance` requires filters with a radius."""

    filters: SearchFilters
    scale: CoordinateScale
    ordering: str = "price"
    is_descending: bool = False

    def page(
        self, connection: Connection, limit: int, start: PageStart | None = None, n_matches: int | None = None
    ) -> Page:
        """The page of at most `limit` properties from `start` on.

        `n_matches` is the count of an earlier page of the same search; without it the matches are counted.
        """
        rows = list(connection.execute(self._select(connection.dialect.name, limit + 1, start)).mappings())
        has_more = len(rows) > limit
        if n_matches is None and start is None and not has_more:
            n_matches = len(rows)
        elif n_matches is None:
            n_matches = connection.execute(self._count(connection.dialect.name)).scalar_one()
        rows = rows[:limit]
        if start is None:
            return Page(rows, False, has_more, n_matches)
        # A client that starts somewhere came from there: `start` itself lies on the other side.
        if start.backwards:
            return Page(rows[::-1], has_more, True, n_matches)
        return Page(rows, True, has_more, n_matches)

    def _count(self, dialect: str) -> Select[tuple[int]]:
        matches = select(literal(1)).where(*self._conditions(dialect)).limit(MAX_COUNTED + 1)
        return select(func.count()).select_from(matches.select_from(property_analytics).subquery())

    def _select(self, dialect: str, limit: int, start: PageStart | None) -> Select[Any]:
        """The rows of a page.

        The inner query needs the columns of an index only, so that the table is read for the rows of the page alone.
        """
        order_value, is_descending = self._order_value(), self.is_descending
        keys = select(_c.property_id, order_value.label("order_value")).where(*self._conditions(dialect))
        if self.filters.radius is not None:
            keys = keys.add_columns(self._square_distance().label("square_distance"))
        if start is not None:
            is_descending = self.is_descending != start.backwards
            value = int(start.value) if self.ordering == "year" else start.value
            key, first = tuple_(order_value, _c.property_id), tuple_(literal(value), literal(start.property_id))
            keys = keys.where(key < first if is_descending else key > first)

        def order(*columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
            return [column.desc() if is_descending else column.asc() for column in columns]

        page = keys.order_by(*order(order_value, _c.property_id)).limit(limit).subquery("page")
        rows = select(*_SHOWN_COLUMNS, *(column for column in page.c if column.name != "property_id"))
        rows = rows.join_from(page, property_analytics, page.c.property_id == _c.property_id).where(*self._in_shard())
        return rows.order_by(*order(page.c.order_value, page.c.property_id))

    def _order_value(self) -> ColumnElement[Any]:
        return self._square_distance() if self.ordering == DISTANCE else _c[RANGES[self.ordering]]

    def _square_distance(self) -> ColumnElement[float]:
        filters, scale = self.filters, self.scale
        east = (_c.longitude - filters.longitude) * scale.east
        north = (_c.latitude - filters.latitude) * scale.north
        return east * east + north * north

    def _in_shard(self) -> list[ColumnElement[bool]]:
        """The condition by which PostgreSQL reads the one partition that has the location."""
        location = self.filters.location
        return [] if location is None else [_c.shard == shard_of(location)]

    def _conditions(self, dialect: str) -> Iterator[ColumnElement[bool]]:
        filters = self.filters
        yield from self._in_shard()
        for name in ("location", "property_type"):
            if (text := getattr(filters, name)) is not None:
                yield _c[name] == text
        for name, column in RANGES.items():
            low, high = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max")
            if low is not None:
                yield _c[column] >= low
            if high is not None:
                yield _c[column] <= high
        if self.ordering != DISTANCE:
            yield self._order_value().is_not(None)
        if filters.south is not None:
            yield from self._in_box(filters.south, filters.west, filters.north, filters.east)
        if filters.radius is not None:
            yield from self._in_circle(filters.latitude, filters.longitude, filters.radius)
        if filters.address is not None:
            yield address_matches(filters.address, dialect)

    def _in_box(self, south: float, west: float, north: float, east: float) -> Iterator[ColumnElement[bool]]:
        height = STRIP_HEIGHT[self.scale.system]
        first, last = math.floor(south / height), math.floor(north / height)
        has_few_strips = last - first < MAX_STRIPS
        yield _c.strip.in_(range(first, last + 1)) if has_few_strips else _c.strip.between(first, last)
        yield _c.longitude.between(west, east)
        yield _c.latitude.between(south, north)

    def _in_circle(self, latitude: float, longitude: float, radius: float) -> Iterator[ColumnElement[bool]]:
        up, across = radius / self.scale.north, radius / self.scale.east
        yield from self._in_box(latitude - up, longitude - across, latitude + up, longitude + across)
        yield self._square_distance() <= radius**2
