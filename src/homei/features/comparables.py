"""Comparable sales: the earlier sales most similar to a property, and the price level that they imply.

Similarity is a distance over position, floor, area, year of building and time, each divided by its own scale
(`features.comparables.scales`). Only properties of the same type are compared. Differences are adjusted for with the
unit adjustments of `features.adjustments`, market movement since the comparable sale with the city's price index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from homei.config import projection
from homei.features.columns import COMPARABLE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

Columns = Mapping[str, np.ndarray]

COMPARED = ("x", "y", "floor", "log_area", "year_built")
ADJUSTED = COMPARED[2:]  # position needs no adjustment: the sales around a property already reflect it
MIN_KNOWN_SHARE = 0.5  # an attribute is compared if at least this share of a type's sales has it
TYPE_SEPARATION = 1e6  # distance between property types: beyond any search radius
UNKNOWN = -1  # code of a property type without sales
DIGITS = 6


class Neighbours(NamedTuple):
    """Comparables of properties (properties × count), most similar first; row −1 and NaN if fewer."""

    row: np.ndarray  # row in the pool of sales
    distance: np.ndarray  # in scales: 1 is one scale away
    level: np.ndarray  # log price per m² relative to the price index, adjusted to the property
    difference: np.ndarray  # properties × count × ADJUSTED: property minus comparable, 0 where not compared

    @classmethod
    def empty(cls, *shape: int) -> Neighbours:
        differences = np.zeros((*shape, len(ADJUSTED)))
        return cls(np.full(shape, -1), np.full(shape, np.nan), np.full(shape, np.nan), differences)

    def weights(self, decay: float) -> np.ndarray:
        """Weight of each comparable, 0 where there is none; it falls by a factor of e per `decay` of distance."""
        nearest = np.where(np.isfinite(self.distance[:, :1]), self.distance[:, :1], 0.0)
        nearness = np.exp((nearest - self.distance) / decay)
        return np.where(self.row >= 0, nearness, 0.0)

    def mean_level(self, decay: float) -> np.ndarray:
        """Weighted mean level of each property's comparables; NaN without comparables."""
        weights = self.weights(decay)
        total = weights.sum(axis=1)
        level = np.where(self.row >= 0, self.level, 0.0)
        return (weights * level).sum(axis=1) / np.where(total > 0, total, np.nan)


@dataclass(frozen=True, eq=False)
class MonthIndex:
    """Search trees for properties valued in one month, over the sales of the months before it."""

    tree: cKDTree
    attribute_tree: cKDTree  # the same sales by floor, area and year only, regardless of position and time
    rows: np.ndarray  # row in the pool of each point of the trees
    compared: np.ndarray  # types × COMPARED: whether enough sales of the type have the attribute (houses: no floor)


class MonthQuery(NamedTuple):
    """The properties of one month and of known types for which comparables are searched."""

    month: int
    index: MonthIndex
    rows: np.ndarray  # rows in the queried columns
    attributes: np.ndarray  # COMPARED of each property; medians where missing, 0 where not compared
    codes: np.ndarray  # codes of property types
    is_complete: np.ndarray  # whether a property has all attributes that are compared


class Comparables:
    """Searchable pool of sales, with columns in order of month.

    `adjustments` holds, by month, the effect of one unit of each of ADJUSTED on the log price per m²; a month that is
    absent has none.
    """

    def __init__(
        self, pool: Columns, adjustments: Mapping[int, np.ndarray], config: ComparablesConfig, coordinates: Coordinates
    ) -> None:
        self.pool = pool
        self.adjustments = dict(adjustments)
        self._config = config
        self._coordinates = coordinates
        scales = config.scales
        self._scales = np.array([scales.metres, scales.metres, scales.floors, scales.area, scales.years])
        self._types = {name: code for code, name in enumerate(sorted(set(pool["property_type"].tolist()) - {None}))}
        self.pool_attributes = self.attributes(pool)
        self._codes = self._type_codes(pool)
        # Only a type whose unit is the whole price has levels of sales without an area.
        is_whole = np.isfinite(pool["u"]) & np.isnan(pool["square_meters"]) & (self._codes != UNKNOWN)
        self._whole_price_codes = np.unique(self._codes[is_whole])
        self._month_index = lru_cache(maxsize=64)(self._build_index)
        self._typical = lru_cache(maxsize=4096)(self._typical_attributes)

    def prepare(self, month: int) -> None:
        """Builds a month's search trees ahead of its first query; takes seconds for a million sales."""
        self._month_index(month)

    def attributes(self, columns: Columns) -> np.ndarray:
        """COMPARED of each property: metres east and north, floor, log of the area, year; NaN where unknown."""
        x, y = projection.project(columns["latitude"], columns["longitude"], self._coordinates)
        return np.column_stack([x, y, columns["floor"], np.log(columns["square_meters"]), columns["year_built"]])

    def is_priced_whole(self, columns: Columns) -> np.ndarray:
        """Whether the levels of a property's type are of whole prices instead of prices per m²."""
        return np.isin(self._type_codes(columns), self._whole_price_codes)

    def nearest(self, columns: Columns, count: int) -> Neighbours:
        """The `count` most similar sales of each property from the months before its month.

        A missing attribute is replaced by the median of the property's type in its location. A property of an unknown
        type, or without position and without a location with sales, has no comparables.
        """
        neighbours = Neighbours.empty(len(columns["month"]), count)
        for query in self._queries(columns):
            self._search(query, neighbours)
        return neighbours

    def features(self, columns: Columns, neighbours: Neighbours | None = None) -> dict[str, np.ndarray]:
        """COMPARABLE_COLUMNS: implied level, and distances of the nearest comparable and most alike sale.

        Distances are in scales; the last one is over floor, area and year only. NaN without comparables.
        """
        if neighbours is None:
            neighbours = self.nearest(columns, self._config.count)
        alike_distance = np.full(len(columns["month"]), np.nan)
        is_complete = np.zeros(len(columns["month"]), dtype=bool)
        for query in self._queries(columns):
            points = self._attribute_points(query.attributes, query.codes)
            is_known = np.isfinite(points).all(axis=1)
            alike_distance[query.rows[is_known]] = query.index.attribute_tree.query(points[is_known])[0]
            is_complete[query.rows] = query.is_complete
        # With medians filled in, the level would be that of a typical property, not of this one.
        level = np.where(is_complete, neighbours.mean_level(self._config.decay), np.nan)
        values = (column.round(DIGITS) for column in (level, neighbours.distance[:, 0], alike_distance))
        return dict(zip(COMPARABLE_COLUMNS, values, strict=True))

    def _queries(self, columns: Columns) -> Iterator[MonthQuery]:
        all_attributes, types, months = self.attributes(columns), self._type_codes(columns), columns["month"]
        for month in sorted(set(months.tolist())):
            rows = np.flatnonzero((months == month) & (types != UNKNOWN))
            if rows.size and (index := self._month_index(month)) is not None:
                attributes, codes = all_attributes[rows], types[rows]
                compared = index.compared[codes]
                missing = np.isnan(attributes) & compared
                filled = self._fill_missing(attributes, missing, codes, columns["location"][rows], index)
                yield MonthQuery(month, index, rows, np.where(compared, filled, 0.0), codes, ~missing.any(axis=1))

    def _type_codes(self, columns: Columns) -> np.ndarray:
        return np.array([self._types.get(name, UNKNOWN) for name in columns["property_type"].tolist()], dtype=np.int64)

    def _build_index(self, month: int) -> MonthIndex | None:
        """Trees over the sales before `month` that have all attributes compared; None without such sales."""
        first, end = np.searchsorted(self.pool["month"], [month - self._config.months, month])
        is_usable = np.isfinite(self.pool["u"][first:end]) & (self._codes[first:end] != UNKNOWN)
        rows = first + np.flatnonzero(is_usable)
        if not rows.size:
            return None
        is_known = np.isfinite(self.pool_attributes[rows])
        compared = self._compared_by_type(is_known, self._codes[rows])
        rows = rows[(is_known | ~compared[self._codes[rows]]).all(axis=1)]
        codes = self._codes[rows]
        attributes = np.where(compared[codes], self.pool_attributes[rows], 0.0)
        points = self._points(attributes, codes, self.pool["month"][rows])
        return MonthIndex(cKDTree(points), cKDTree(self._attribute_points(attributes, codes)), rows, compared)

    def _compared_by_type(self, is_known: np.ndarray, codes: np.ndarray) -> np.ndarray:
        n_types = len(self._types)
        n_sales = np.bincount(codes, minlength=n_types)
        n_known = np.column_stack([np.bincount(codes, weights=column, minlength=n_types) for column in is_known.T])
        compared = n_known >= MIN_KNOWN_SHARE * np.maximum(n_sales, 1)[:, None]
        compared[self._whole_price_codes, COMPARED.index("log_area")] = False
        return compared

    def _points(self, attributes: np.ndarray, codes: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Points whose Euclidean distance is the dissimilarity of the properties."""
        scaled = attributes / self._scales
        return np.column_stack([scaled, months / self._config.scales.months, codes * TYPE_SEPARATION])

    def _attribute_points(self, attributes: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return np.column_stack([(attributes / self._scales)[:, 2:], codes * TYPE_SEPARATION])

    def _fill_missing(
        self, attributes: np.ndarray, missing: np.ndarray, codes: np.ndarray, locations: np.ndarray, index: MonthIndex
    ) -> np.ndarray:
        """The attributes with the `missing` ones filled in; positions stay NaN in a location without sales."""
        filled = attributes.copy()
        for row in np.flatnonzero(missing.any(axis=1)):
            typical = self._typical(index, int(codes[row]), locations[row])
            filled[row] = np.where(missing[row], typical, attributes[row])
        return filled

    def _typical_attributes(self, index: MonthIndex, code: int, location: str | None) -> np.ndarray:
        """Median attributes of a type's sales in a location; of the city, without position, if none."""
        of_type = index.rows[self._codes[index.rows] == code]
        in_location = of_type[self.pool["location"][of_type] == location]
        typical = np.median(self.pool_attributes[in_location if in_location.size else of_type], axis=0)
        return typical if in_location.size else np.where(np.arange(len(COMPARED)) < 2, np.nan, typical)

    def _search(self, query: MonthQuery, neighbours: Neighbours) -> None:
        """Writes the comparables of the queried properties into `neighbours`."""
        has_position = np.isfinite(query.attributes).all(axis=1)
        attributes, codes = query.attributes[has_position], query.codes[has_position]
        points = self._points(attributes, codes, np.full(len(attributes), query.month))
        ranks = range(1, neighbours.row.shape[1] + 1)
        distance, point = query.index.tree.query(points, k=ranks, distance_upper_bound=self._config.reach)
        exists = np.isfinite(distance)
        row = np.where(exists, query.index.rows[np.where(exists, point, 0)], -1)
        difference = attributes[:, None, 2:] - self.pool_attributes[row][:, :, 2:]
        difference = np.where(exists[..., None] & query.index.compared[codes][:, None, 2:], difference, 0.0)
        # Summed along each row: the last bits of a BLAS product depend on the number of rows.
        adjustment = (difference * self.adjustments.get(query.month, 0.0)).sum(axis=-1)
        level = self.pool["u"][row] + adjustment
        nearest = (row, np.where(exists, distance, np.nan), np.where(exists, level, np.nan), difference)
        for whole, values in zip(neighbours, nearest, strict=True):
            whole[query.rows[has_position]] = values


def pool_columns(pool: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of the table of comparable sales as arrays."""
    return {name: pool[name].to_numpy() for name in pool}
