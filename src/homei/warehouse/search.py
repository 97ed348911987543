"""Homes by what is asked of them: a page in an order, by the key that the page before ended with, and how many.

A page begins after a value of the order's column and a property_id, so that the thousandth page costs what the first
does and no home is shown twice. An order lists only homes that have its attribute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    RowMapping,
    Select,
    case,
    false,
    func,
    literal,
    select,
    tuple_,
)

from homei.warehouse.tables import STRIPS, property_analytics
from homei.warehouse.words import containing, terms

# Matches: ten thousand took 43 ms where a condition had to be looked up row by row, more than a page may.
MOST_COUNTED = 1_000
FEW_STRIPS = 8  # whose homes are sorted sooner than an order is searched for them
MOST_STRIPS = 200  # that are named one by one: more are a range

home = property_analytics.c
ORDERS: dict[str, ColumnElement] = {"price": home.price, "area": home.square_meters, "year": home.year_built}
DISTANCE = "distance"
ASKED = case((home.is_listed, home.last_asking_price))
SHOWN = (
    home.property_id, home.address, home.location, home.property_type, home.square_meters, home.bedrooms,
    home.bathrooms, home.floor, home.year_built, home.latitude, home.longitude, home.is_listed, home.price,
    ASKED.label("asking_price"), home.valued_price, home.valued_low, home.valued_high, home.confidence, home.flags,
)  # fmt: skip
RANGES = {
    "price": home.price, "area": home.square_meters, "bedrooms": home.bedrooms, "year": home.year_built,
}  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """What homes must be; None is no condition. Coordinates are the source's own, the radius is in metres."""

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

    def given(self) -> dict[str, Any]:
        """The conditions that there are."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in told.items() if value is not None}


class Place(NamedTuple):
    """How the source's coordinates lie on the ground: the system, and metres a unit of longitude and of latitude."""

    system: Literal["wgs84", "plane"]
    east: float
    north: float


class Start(NamedTuple):
    """Where a page begins: beyond this value of the order and this property, or, `backwards`, before it."""

    value: float
    property_id: str
    backwards: bool = False


@dataclass(frozen=True)
class Page:
    """Homes in their order, each with `order_value`, and whether there are more on either side."""

    homes: list[RowMapping]
    has_previous: bool
    has_next: bool


def find(
    connection: Connection,
    filters: Filters,
    place: Place,
    order: str,
    descending: bool,
    limit: int,
    start: Start | None,
    many: bool = False,
) -> Page:
    """A page of at most `limit` homes, from the beginning or from `start` on.

    Where `many` match, they are looked for along the order; where few do, by their place, and then sorted.
    """
    away = _square_distance(filters, place)
    by = away if order == DISTANCE else ORDERS[order]
    assert by is not None
    falling = descending != (start is not None and start.backwards)
    columns = [*SHOWN, by.label("order_value")] + ([] if away is None else [away.label("square_distance")])
    by_strips = order == DISTANCE or not many
    query = select(*columns).where(*conditions(connection, filters, place, by_strips), by.is_not(None))
    if start is not None:
        key, at = tuple_(by, home.property_id), tuple_(_bound(start.value, by), literal(start.property_id))
        query = query.where(key < at if falling else key > at)
    ends = (by.desc(), home.property_id.desc()) if falling else (by, home.property_id)
    rows = list(connection.execute(query.order_by(*ends).limit(limit + 1)).mappings())
    more, rows = len(rows) > limit, rows[:limit]
    if start is None:
        return Page(rows, False, more)
    # Whoever begins somewhere came from there: the home named by `start` lies on the other side.
    return Page(rows[::-1], more, True) if start.backwards else Page(rows, True, more)


def count(connection: Connection, filters: Filters, place: Place, order: str) -> int:
    """How many homes match and have the order's attribute, MOST_COUNTED + 1 standing for any more."""
    by = _square_distance(filters, place) if order == DISTANCE else ORDERS[order]
    assert by is not None
    found = select(literal(1)).where(*conditions(connection, filters, place), by.is_not(None))
    return connection.execute(select(func.count()).select_from(_first(found, MOST_COUNTED + 1))).scalar_one()


def conditions(
    connection: Connection, filters: Filters, place: Place, by_strips: bool = True
) -> list[ColumnElement[bool]]:
    """The filters as conditions on property_analytics, every value bound; `by_strips` has the index of places used."""
    found: list[ColumnElement[bool]] = []
    if filters.location is not None:
        found.append(home.location == filters.location)
    if filters.property_type is not None:
        found.append(home.property_type == filters.property_type)
    for name, column in RANGES.items():
        low, high = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max")
        found += [column >= low] if low is not None else []
        found += [column <= high] if high is not None else []
    if filters.south is not None:
        found += _box(place, filters.south, filters.west, filters.north, filters.east, by_strips)
    if filters.radius is not None:
        found += _circle(filters, place, by_strips)
    if filters.address is not None:
        found.append(containing(connection, home.property_id, terms(filters.address)))
    return found


def _box(
    place: Place, south: float, west: float, north: float, east: float, by_strips: bool
) -> list[ColumnElement[bool]]:
    found = [home.longitude.between(west, east), home.latitude.between(south, north)]
    height = STRIPS[place.system]
    first, last = math.floor(south / height), math.floor(north / height)
    if not by_strips and last - first >= FEW_STRIPS:
        return found
    strips = list(range(first, last + 1)) if last - first < MOST_STRIPS else None
    return [home.strip.in_(strips) if strips else home.strip.between(first, last), *found]


def _circle(filters: Filters, place: Place, by_strips: bool) -> list[ColumnElement[bool]]:
    away, radius = _square_distance(filters, place), filters.radius
    if away is None:
        return [false()]
    assert filters.latitude is not None and filters.longitude is not None and radius is not None
    up, across = radius / place.north, radius / place.east
    latitude, longitude = filters.latitude, filters.longitude
    around = _box(place, latitude - up, longitude - across, latitude + up, longitude + across, by_strips)
    return [*around, away <= radius * radius]


def _square_distance(filters: Filters, place: Place) -> ColumnElement[float] | None:
    """Square metres from the centre, in the plane in which the model measures (features.keys); None without one."""
    if filters.radius is None:
        return None
    east = (home.longitude - _bound(filters.longitude)) * _bound(place.east)
    north = (home.latitude - _bound(filters.latitude)) * _bound(place.north)
    return east * east + north * north


def _bound(value: Any, like: ColumnElement | None = None) -> ColumnElement:
    return literal(value, Float(53) if like is None else like.type)


def _first(query: Select, rows: int) -> Any:
    return query.limit(rows).subquery()
