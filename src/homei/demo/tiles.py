"""Tiles of a simulated region: a grid of towns that are drawn independently of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from homei.config.projection import METRES_PER_DEGREE

SPACING = 22_000.0  # metres between the centres of neighbouring tiles; a town's radius is 10.5 km
MARGIN = 18_000.0  # metres from a tile's centre within which all its properties lie
SMALLEST_DISPLACEMENT = 2  # degrees by which faulty coordinates leave a single town


@dataclass(frozen=True)
class Tile:
    """One of the `count` towns of a region; by default the only one.

    x, y: its centre in metres from the city's origin. displacement: degrees by which faulty coordinates are wrong.
    """

    number: int = 0
    count: int = 1
    x: float = 0.0
    y: float = 0.0
    displacement: tuple[float, float] = (SMALLEST_DISPLACEMENT, SMALLEST_DISPLACEMENT + 7)

    def variants(self, n_variants: int) -> list[int]:
        """Numbers of name variants that no other tile of the region uses."""
        return [self.number + self.count * nth for nth in range(n_variants)]

    def unique(self, identity: str) -> str:
        """An id that is unique in the tile, made unique in the region."""
        return f"{identity}-{self.number:04d}"


WHOLE_CITY = Tile()


def region_tiles(count: int, latitude: float) -> list[Tile]:
    """The tiles of a region around an origin at that latitude, row by row in a square grid."""
    side = math.isqrt(count - 1) + 1
    # Wherever a property is, so large an error leads out of the region.
    width = 2 * region_radius(count) / (METRES_PER_DEGREE * math.cos(math.radians(latitude)))
    displacement = (SMALLEST_DISPLACEMENT + width, SMALLEST_DISPLACEMENT + 7 + width)
    positions = [(number % side - (side - 1) / 2, number // side - (side - 1) / 2) for number in range(count)]
    return [
        Tile(number, count, SPACING * column, SPACING * row, displacement)
        for number, (column, row) in enumerate(positions)
    ]


def region_radius(count: int) -> float:
    """Metres from the origin within which all properties lie, to the north, south, east and west."""
    return SPACING * math.isqrt(count - 1) / 2 + MARGIN


def shares(total: int, count: int) -> Iterator[int]:
    """`total` split into `count` parts that differ by one at most."""
    return (total // count + (part < total % count) for part in range(count))


def tile_seed(seed: int, number: int) -> int:
    """The seed of a tile's random generators."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
