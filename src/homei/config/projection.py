"""A city's coordinate system, and the projection of coordinates to metres and to grid cells.

The functions are plain arithmetic, so that one definition serves Spark columns, NumPy arrays and floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from homei.config.model import ConfigModel

METRES_PER_DEGREE = 111_320.0  # of latitude; of longitude at the equator
METRES_PER_FOOT = 0.3048
CELL = "%d:%d"  # the key of a cell, from its column and row

CoordinateSystem = Annotated[str, Field(pattern=r"^(wgs84|plane|EPSG:[0-9]{4,6})$")]
Number = TypeVar("Number")


class Coordinates(ConfigModel):
    """The system of the feeds' coordinates, and the area of the city.

    `system` is wgs84 (degrees), plane (latitude is y, longitude is x, in `unit`), or a code such as EPSG:2263, which
    stage `validate` converts to degrees. `origin` is the city's centre in degrees. Degrees further from it than
    `radius_km` to the north, south, east or west are implausible.
    """

    system: CoordinateSystem = "wgs84"
    origin: tuple[float, float] = (0.0, 0.0)
    radius_km: Annotated[float, Field(gt=0)] = 150.0
    unit: Literal["metres", "feet"] | None = None  # of a plane

    @model_validator(mode="after")
    def _is_complete(self) -> Coordinates:
        if self.unit is not None and self.system != "plane":
            raise ValueError("unit belongs to system: plane; the other systems have units of their own")
        if abs(self.origin[0]) > 90 or abs(self.origin[1]) > 180:
            raise ValueError(f"origin = {list(self.origin)}: must be [latitude, longitude] in degrees")
        return self

    @property
    def is_plane(self) -> bool:
        """Whether stored coordinates are on a plane, and not degrees."""
        return self.system == "plane"

    @property
    def stored_system(self) -> Literal["wgs84", "plane"]:
        """The system of the lake's coordinates and of the service's requests."""
        return "plane" if self.is_plane else "wgs84"


def metres_per_unit(coordinates: Coordinates) -> tuple[float, float]:
    """How many metres one unit of longitude (x) and of latitude (y) is.

    A plane through the origin: within 30 km of it, distances are right to a few parts in a thousand.
    """
    if coordinates.is_plane:
        return (METRES_PER_FOOT, METRES_PER_FOOT) if coordinates.unit == "feet" else (1.0, 1.0)
    latitude = math.radians(coordinates.origin[0])
    # Rounded: the last bit of a cosine differs between mathematical libraries.
    return round(METRES_PER_DEGREE * math.cos(latitude), 6), METRES_PER_DEGREE


def area_of(coordinates: Coordinates) -> dict[str, tuple[float, float]]:
    """The lowest and the highest latitude and longitude of the city's area, in degrees.

    Nothing for a plane.
    """
    if coordinates.is_plane:
        return {}
    (latitude, longitude), reach = coordinates.origin, 1000 * coordinates.radius_km
    east, north = (reach / max(metres, 1.0) for metres in metres_per_unit(coordinates))
    return {
        "latitude": (round(max(latitude - north, -90.0), 4), round(min(latitude + north, 90.0), 4)),
        "longitude": (round(max(longitude - east, -180.0), 4), round(min(longitude + east, 180.0), 4)),
    }


def project(latitude: Number, longitude: Number, coordinates: Coordinates) -> tuple[Number, Number]:
    """x (east) and y (north) in metres."""
    east, north = metres_per_unit(coordinates)
    return longitude * east, latitude * north


def cell(x: Number, y: Number, size: float, floor: Callable[[Number], Number]) -> tuple[Number, Number]:
    """The whole numbers of the square cell of `size` metres that holds a point."""
    return floor(x / size), floor(y / size)
