"""A city's coordinate system, and the projection of coordinates to metres and to grid cells.

The functions are plain arithmetic, so that one definition serves Spark columns, NumPy arrays and floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

from homei.config.model import ConfigModel

METRES_PER_DEGREE = 111_320.0  # of latitude; of longitude at the equator
CELL = "%d:%d"  # the key of a cell, from its column and row

Number = TypeVar("Number")


class Coordinates(ConfigModel):
    """WGS84 degrees with the city's centre as origin, or metres on a plane (latitude y, longitude x)."""

    system: Literal["wgs84", "plane"] = "wgs84"
    origin: tuple[float, float] = (0.0, 0.0)


def metres_per_unit(coordinates: Coordinates) -> tuple[float, float]:
    """How many metres one unit of longitude (x) and of latitude (y) is.

    A plane through the origin: within 30 km of it, distances are right to a few parts in a thousand.
    """
    if coordinates.system == "plane":
        return 1.0, 1.0
    latitude = math.radians(coordinates.origin[0])
    # Rounded: the last bit of a cosine differs between mathematical libraries.
    return round(METRES_PER_DEGREE * math.cos(latitude), 6), METRES_PER_DEGREE


def project(latitude: Number, longitude: Number, coordinates: Coordinates) -> tuple[Number, Number]:
    """x (east) and y (north) in metres."""
    east, north = metres_per_unit(coordinates)
    return longitude * east, latitude * north


def cell(x: Number, y: Number, size: float, floor: Callable[[Number], Number]) -> tuple[Number, Number]:
    """The whole numbers of the square cell of `size` metres that holds a point."""
    return floor(x / size), floor(y / size)
