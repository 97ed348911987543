"""The simulated city's ground: districts, places and how much a spot is worth, on a plane in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from homei.source import Coordinates

RADIUS = 10_500.0  # metres from the middle to the outermost district's middle: a city some 24 km across
METRES_PER_DEGREE = 111_320.0
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
FIRST = (
    "Amber", "Bracken", "Cinder", "Dunlin", "Elder", "Fallow", "Gannet", "Hollin", "Iron", "Juniper",
    "Kestrel", "Linnet", "Marl", "Nettle", "Otter", "Pewter", "Quill", "Russet", "Saffron", "Tansy",
)  # fmt: skip
LAST = ("quay", "moor", "holt", "reach", "gate", "haven", "rise", "mead")

# By kind of place: its name, how many there are per district, what living beside one adds to log price, and the
# distance in metres over which that fades.
PLACES = {
    "station": ("Station", 0.9, 0.08, 1_200.0),
    "park": ("Park", 0.7, 0.04, 900.0),
    "school": ("School", 1.5, 0.02, 700.0),
}


@dataclass(frozen=True)
class City:
    """Districts (name, x, y, effect, weight), places (kind, name, x, y) and the bumps (x, y, height, width)."""

    districts: pd.DataFrame
    places: pd.DataFrame
    bumps: pd.DataFrame

    def spot_value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What a spot adds to log price per m²: the smooth field and the places nearby, but not the district."""
        return self._field(x, y) + sum(
            effect * np.exp(-self.nearest(kind, x, y) / fades) for kind, (*_, effect, fades) in PLACES.items()
        )

    def nearest(self, kind: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Metres to the nearest place of a kind."""
        return distances(x, y, self.places[self.places["kind"] == kind]).min(axis=1)

    def district_of(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The row number of the district whose middle is nearest."""
        return distances(x, y, self.districts).argmin(axis=1)

    def _field(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        far = distances(x, y, self.bumps) / self.bumps["width"].to_numpy()
        return (self.bumps["height"].to_numpy() * np.exp(-0.5 * far**2)).sum(axis=1)


def build_city(rng: np.random.Generator, districts: int) -> City:
    """A city of that many districts; raises ValueError where the names don't suffice."""
    ground = _districts(rng, districts)
    return City(ground, _places(rng, ground), _bumps(rng))


def distances(x: np.ndarray, y: np.ndarray, points: pd.DataFrame) -> np.ndarray:
    """Metres from each spot (rows) to each point (columns)."""
    return np.hypot(x[:, None] - points["x"].to_numpy(), y[:, None] - points["y"].to_numpy())


def degrees(x: np.ndarray, y: np.ndarray, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of spots on the plane around `coordinates.origin`."""
    latitude, longitude = coordinates.origin
    parallel = METRES_PER_DEGREE * np.cos(np.radians(latitude))
    return latitude + y / METRES_PER_DEGREE, longitude + x / parallel


def _districts(rng: np.random.Generator, count: int) -> pd.DataFrame:
    names = [first + last for first in FIRST for last in LAST]
    if count > len(names):
        raise ValueError(f"simulate.districts: {count} is too many, there are names for {len(names)}")
    # A sunflower's spiral spreads the middles evenly; the jitter makes it look grown rather than drawn.
    radius = RADIUS * np.sqrt((np.arange(count) + 0.5) / count)
    angle = np.arange(count) * GOLDEN_ANGLE
    jitter = rng.uniform(-600, 600, (2, count))
    return pd.DataFrame(
        {
            "name": [names[number] for number in rng.permutation(len(names))[:count]],
            "x": radius * np.cos(angle) + jitter[0],
            "y": radius * np.sin(angle) + jitter[1],
            "effect": np.clip(rng.normal(0, 0.04, count), -0.08, 0.08),
            "weight": rng.gamma(4.0, size=count) * np.exp(-radius / RADIUS),
        }
    )


def _places(rng: np.random.Generator, districts: pd.DataFrame) -> pd.DataFrame:
    kinds = []
    for kind, (word, per_district, *_) in PLACES.items():
        count = max(2, round(per_district * len(districts)))
        home = districts.iloc[np.resize(rng.permutation(len(districts)), count)]
        nth = home.groupby("name").cumcount().to_numpy() + 1
        names = [f"{name} {word}" + (f" {n}" if n > 1 else "") for name, n in zip(home["name"], nth, strict=True)]
        spots = home[["x", "y"]].to_numpy() + rng.normal(0, 700, (count, 2))
        kinds.append(pd.DataFrame({"kind": kind, "name": names, "x": spots[:, 0], "y": spots[:, 1]}))
    return pd.concat(kinds, ignore_index=True)


def _bumps(rng: np.random.Generator, count: int = 6) -> pd.DataFrame:
    """The old town, dear, and around it quarters of good and of poor standing in turn."""
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.uniform(3_500, 9_000, count)
    around = pd.DataFrame(
        {
            "x": radius * np.cos(angle),
            "y": radius * np.sin(angle),
            "height": rng.uniform(0.10, 0.22, count) * np.where(np.arange(count) % 2, -1, 1),
            "width": rng.uniform(2_800, 4_200, count),
        }
    )
    old_town = pd.DataFrame({"x": [0.0], "y": [0.0], "height": [0.30], "width": [4_500.0]})
    return pd.concat([old_town, around], ignore_index=True)
