"""Nearest neighbours among the sales of a month's index, and the values they imply.

Ties are in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.spatial import cKDTree

from homei.features.pool_statistics import COMPARED

ADJUSTED = COMPARED[2:]  # position needs no adjustment: the sales around a property already reflect it
NEARLY = 1 + 1e-9  # distances this close may be ties: a tree search rounds the distances of its boxes
TREE = {"balanced_tree": False}  # built in two thirds of the time, and searched as fast
Number = TypeVar("Number")


class Neighbours(NamedTuple):
    """Comparables of properties (properties × count), most similar first; row −1 and NaN if fewer.

    Of equally similar sales, those of a later month come first, then those with the smaller transaction_id.
    """

    row: np.ndarray  # row in the pool of sales
    distance: np.ndarray  # in scales: 1 is one scale away
    u: np.ndarray  # log price per m² relative to the price index
    level: np.ndarray  # u adjusted to the property
    difference: np.ndarray  # properties × count × ADJUSTED: property minus comparable, 0 where not compared

    @classmethod
    def empty(cls, *shape: int) -> Neighbours:
        nothing = (np.full(shape, np.nan) for _ in range(3))
        return cls(np.full(shape, -1), *nothing, np.zeros((*shape, len(ADJUSTED))))

    def weights(self, decay: float) -> np.ndarray:
        """Weight of each comparable, 0 where there is none; it falls by a factor of e per `decay` of distance."""
        nearest = np.where(np.isfinite(self.distance[:, :1]), self.distance[:, :1], 0.0)
        nearness = np.exp((nearest - self.distance) / decay)
        return np.where(self.row >= 0, nearness, 0.0)

    def means(self, decay: float) -> tuple[np.ndarray, np.ndarray]:
        """Weighted means of u and of each difference (properties × ADJUSTED); NaN without comparables."""
        weights = self.weights(decay)
        total = weights.sum(axis=1)
        total = np.where(total > 0, total, np.nan)
        u = np.where(self.row >= 0, self.u, 0.0)
        differences = ((weights * difference).sum(axis=1) / total for difference in np.moveaxis(self.difference, 2, 0))
        return (weights * u).sum(axis=1) / total, np.column_stack(list(differences))


class Summary(NamedTuple):
    """The comparables of properties and what they imply before adjustments; NaN without comparables."""

    neighbours: Neighbours
    is_complete: np.ndarray  # whether a property has all attributes that are compared
    u: np.ndarray  # weighted mean u of the comparables; NaN where incomplete
    differences: np.ndarray  # weighted means of the differences (properties × ADJUSTED)

    @property
    def distance(self) -> np.ndarray:
        """Distance of the nearest comparable."""
        return self.neighbours.distance[:, 0]


@dataclass(frozen=True, eq=False)
class MonthIndex:
    """Searchable sales of the months before a month, those of later months first."""

    rows: np.ndarray  # row in the pool of each point
    compared: np.ndarray  # types × COMPARED: whether enough sales of the type have the attribute (houses: no floor)
    points: Callable[[], np.ndarray]
    attribute_points: Callable[[], np.ndarray]  # different values of floor, area and year, whatever position and time

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.points(), **TREE)

    @cached_property
    def attribute_tree(self) -> cKDTree:
        return cKDTree(self.attribute_points(), **TREE)

    def nearest(self, points: np.ndarray, count: int, reach: float, extra: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Distances and points of the `count` nearest ones within `reach`; infinite if fewer.

        Ties are in order of the points. They may extend beyond the last one: the search has `extra` more results, and
        is repeated with more while all of these are ties.
        """
        ranks = range(1, count + extra + 1)
        distance, point = self.tree.query(points, k=ranks, distance_upper_bound=reach * NEARLY)
        distance[distance > reach] = np.inf
        is_cut = np.isfinite(distance[:, -1]) & (distance[:, -1] <= distance[:, count - 1] * NEARLY)
        order = np.lexsort((point, distance), axis=-1)[:, :count]
        distance, point = (np.take_along_axis(values, order, axis=1) for values in (distance, point))
        if is_cut.any():
            distance[is_cut], point[is_cut] = self.nearest(points[is_cut], count, reach, 4 * (count + extra))
        return distance, point


def adjusted_level(u: Number, differences: Iterable[Number], adjustments: Iterable[Number]) -> Number:
    """The mean u of comparables adjusted by their mean differences.

    It is plain arithmetic, so that one definition serves NumPy arrays and Spark columns.
    """
    level = u
    for difference, adjustment in zip(differences, adjustments, strict=True):
        level = level + difference * adjustment
    return level
