"""Points of interest around a property: the distance to the nearest of each kind, and how many are near."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from homei.config import Features
from homei.features import keys
from homei.features.columns import nearby_columns
from homei.features.session import numbers
from homei.source import Coordinates, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PAIRS = 1 << 18  # pairs of points and places compared at a time: what fits a processor's cache


def project_places(places: pd.DataFrame, coordinates: Coordinates) -> pd.DataFrame:
    """kind, name, latitude, longitude and x, y in metres, in an order that does not depend on the input's."""
    places = places[["kind", "name", "latitude", "longitude"]].astype({"latitude": "f8", "longitude": "f8"})
    x, y = keys.project(places["latitude"], places["longitude"], coordinates)
    columns = ["kind", "name", "latitude", "longitude"]
    return places.assign(x=x, y=y).sort_values(columns, kind="stable", ignore_index=True)


class Surroundings:
    """All places, ready to be compared with points; built once, used by Spark's driver and by the service alike."""

    def __init__(self, places: pd.DataFrame, kinds: Sequence[str], radius: float) -> None:
        places = places[places["kind"].isin(list(kinds))].sort_values("kind", kind="stable")
        self.kinds = list(kinds)
        self._x, self._y = places["x"].to_numpy("f8"), places["y"].to_numpy("f8")
        # Kinds without a place have no segment among the sorted places: reduceat could not tell an empty one.
        self._present, self._starts = np.unique(places["kind"].to_numpy(str), return_index=True)
        self._square = radius * radius

    def around(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """For each kind the distance to its nearest place (metres, one decimal) and the number within the radius.

        NaN for a point without coordinates, and for a kind of which no place is known.
        """
        found = {name: np.full(len(x), np.nan) for kind in self.kinds for name in nearby_columns(kind)}
        if not self._x.size:
            return found
        step = max(1, PAIRS // self._x.size)
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            nearest, within = self._compare(x[rows, None], y[rows, None])
            for at, kind in enumerate(self._present):
                distance, count = nearby_columns(str(kind))
                found[distance][rows] = nearest[:, at]
                found[count][rows] = within[:, at]
        return found

    def _compare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        east, north = self._x - x, self._y - y
        squares = east * east + north * north
        nearest = np.sqrt(np.minimum.reduceat(squares, self._starts, axis=1)).round(1)
        within = np.add.reduceat(squares <= self._square, self._starts, axis=1, dtype="f8")
        return nearest, np.where(np.isnan(nearest), np.nan, within)


def with_places(places: pd.DataFrame, source: Source, features: Features) -> Callable[[DataFrame], DataFrame]:
    """Adds the distances and counts of `Surroundings` to sales; null where a coordinate is missing.

    Computed on the driver for the distinct coordinates, which are far fewer than sales; Python workers would cost more
    to start than they save.
    """

    def add(sales: DataFrame) -> DataFrame:
        at = ["latitude", "longitude"]
        points = sales.select(*at).dropna().distinct().toPandas()
        x, y = keys.project(points["latitude"].to_numpy(), points["longitude"].to_numpy(), source.coordinates)
        around = Surroundings(places, source.place_kinds, features.places_radius).around(x, y)
        return sales.join(numbers(sales.sparkSession, points.assign(**around)), at, "left")

    return add
