"""Points of interest around a property: nearest distance and number within a radius, by kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import projection
from homei.config.projection import Coordinates
from homei.features.columns import nearby_columns


def project_places(places: pd.DataFrame, coordinates: Coordinates) -> pd.DataFrame:
    """kind, name, latitude, longitude and x, y in metres, sorted by these columns."""
    columns = ["kind", "name", "latitude", "longitude"]
    places = places[columns].astype({"latitude": "f8", "longitude": "f8"})
    x, y = projection.project(places["latitude"], places["longitude"], coordinates)
    return places.assign(x=x, y=y).sort_values(columns, kind="stable", ignore_index=True)


class PointsOfInterest:
    """All places (kind, x, y) by kind, for distances and counts around any point."""

    def __init__(self, places: pd.DataFrame, kinds: Sequence[str], radius_m: float) -> None:
        self._kinds, self._radius_m = list(kinds), radius_m
        positions = places.groupby("kind")[["x", "y"]]
        self._trees = {kind: cKDTree(positions.get_group(kind)) for kind in kinds if kind in positions.groups}

    def around(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """For each kind, the distance to the nearest place (metres) and the number within the radius.

        NaN for a point without coordinates, and for a kind without places.
        """
        features = {name: np.full(len(x), np.nan) for kind in self._kinds for name in nearby_columns(kind)}
        points = np.column_stack([x, y])
        is_known = np.isfinite(points).all(axis=1)
        for kind, tree in self._trees.items():
            distance, count = nearby_columns(kind)
            features[distance][is_known] = tree.query(points[is_known])[0].round(1)
            features[count][is_known] = tree.query_ball_point(points[is_known], self._radius_m, return_length=True)
        return features
