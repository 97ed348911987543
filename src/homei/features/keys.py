"""Where a coordinate lies: metres on a plane, and the square cell that holds it.

Each function is plain arithmetic, so that the same definition serves a Spark column, a NumPy array and a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from homei.source import Coordinates

METRES_PER_DEGREE = 111_320.0  # of latitude; of longitude at the equator
CELL = "%d:%d"  # how a cell's two whole numbers are written as one key

Number = TypeVar("Number")


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
