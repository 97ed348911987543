"""The simulated city's districts and places in metres, and what a location adds to the price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from homei.config.projection import Coordinates
from homei.demo.place_names import name_variants
from homei.demo.tiles import WHOLE_CITY, Tile

RADIUS = 10_500.0  # metres from the city's centre to that of the outermost district
METRES_PER_DEGREE = 111_320.0
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
FIRST_PARTS = (
    "Amber", "Bracken", "Cinder", "Dunlin", "Elder", "Fallow", "Gannet", "Hollin", "Iron", "Juniper",
    "Kestrel", "Linnet", "Marl", "Nettle", "Otter", "Pewter", "Quill", "Russet", "Saffron", "Tansy",
)  # fmt: skip
LAST_PARTS = ("quay", "moor", "holt", "reach", "gate", "haven", "rise", "mead")

# By kind of place: its title, number per district, effect on log price right beside it, and the distance in metres
# over which the effect falls to 1/e.
PLACES = {
    "station": ("Station", 0.9, 0.08, 1_200.0),
    "park": ("Park", 0.7, 0.04, 900.0),
    "school": ("School", 1.5, 0.02, 700.0),
}


@dataclass(frozen=True)
class Geography:
    """Districts, places and price peaks of a city.

    districts: name, x, y, effect, weight. places: kind, name, x, y. price_peaks: x, y, height, width. effect and height
    are in log price per m²; weight is the relative number of streets.
    """

    districts: pd.DataFrame
    places: pd.DataFrame
    price_peaks: pd.DataFrame

    def location_value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The effect of price peaks and places nearby on log price per m², without the district."""
        relative_distance = distances(x, y, self.price_peaks) / self.price_peaks["width"].to_numpy()
        peaks = (self.price_peaks["height"].to_numpy() * np.exp(-0.5 * relative_distance**2)).sum(axis=1)
        return peaks + sum(
            effect * np.exp(-self.distance_to_nearest(kind, x, y) / fade_m)
            for kind, (*_, effect, fade_m) in PLACES.items()
        )

    def distance_to_nearest(self, kind: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Metres to the nearest place of a kind."""
        return distances(x, y, self.places[self.places["kind"] == kind]).min(axis=1)

    def nearest_district(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The row of the district whose centre is nearest."""
        return distances(x, y, self.districts).argmin(axis=1)


def draw_geography(rng: np.random.Generator, n_districts: int, tile: Tile = WHOLE_CITY) -> Geography:
    """Draws a city of so many districts, in metres from the centre of its tile."""
    districts = _draw_districts(rng, n_districts, tile)
    return Geography(districts, _draw_places(rng, districts), _draw_price_peaks(rng))


def distances(x: np.ndarray, y: np.ndarray, points: pd.DataFrame) -> np.ndarray:
    """Metres from each location (rows) to each point (columns)."""
    return np.hypot(x[:, None] - points["x"].to_numpy(), y[:, None] - points["y"].to_numpy())


def to_degrees(x: np.ndarray, y: np.ndarray, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of locations on the plane around `coordinates.origin`."""
    latitude, longitude = coordinates.origin
    metres_per_degree = METRES_PER_DEGREE * np.cos(np.radians(latitude))
    return latitude + y / METRES_PER_DEGREE, longitude + x / metres_per_degree


def _draw_districts(rng: np.random.Generator, count: int, tile: Tile) -> pd.DataFrame:
    names = [first + last for first in FIRST_PARTS for last in LAST_PARTS]
    names = name_variants(names, tile.variants(-(-count // len(names))))
    # A sunflower spiral spreads the centres evenly; the jitter makes them irregular.
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


def _draw_places(rng: np.random.Generator, districts: pd.DataFrame) -> pd.DataFrame:
    kinds = []
    for kind, (title, per_district, *_) in PLACES.items():
        count = max(2, round(per_district * len(districts)))
        district = districts.iloc[np.resize(rng.permutation(len(districts)), count)]
        nth = district.groupby("name").cumcount().to_numpy() + 1
        names = [f"{name} {title}" + (f" {n}" if n > 1 else "") for name, n in zip(district["name"], nth, strict=True)]
        x, y = (district[["x", "y"]].to_numpy() + rng.normal(0, 700, (count, 2))).T
        kinds.append(pd.DataFrame({"kind": kind, "name": names, "x": x, "y": y}))
    return pd.concat(kinds, ignore_index=True)


def _draw_price_peaks(rng: np.random.Generator, count: int = 6) -> pd.DataFrame:
    """The expensive old town, and around it expensive and cheap quarters in turn."""
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
