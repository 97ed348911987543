"""What a search asks for: conditions, the ground they are measured on, and where a page begins."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

DISTANCE = "distance"
RANGES = {"price": "price", "area": "square_meters", "bedrooms": "bedrooms", "year": "year_built"}
ORDERS = ("price", "area", "year")


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

    def ends(self, name: str) -> tuple[float | None, float | None]:
        """Between what a name of RANGES has to be."""
        return getattr(self, f"{name}_min"), getattr(self, f"{name}_max")

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
