"""Comparable sales: the earlier sales most similar to a property, and the price level that they imply.

Similarity is a distance over position, floor, area, year of building and time, each divided by its own scale
(`features.comparables.scales`). Only properties of the same type are compared. Differences are adjusted for with the
unit adjustments of `features.adjustments`, market movement since the comparable sale with the city's price index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from homei.config import projection
from homei.features.columns import COMPARABLE_COLUMNS
from homei.features.neighbours import ADJUSTED, MonthIndex, Neighbours, Summary, adjusted_level
from homei.features.pool_statistics import PoolStatistics, count_pool
from homei.features.typical_attributes import TypicalAttributes

if TYPE_CHECKING:
    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

Columns = Mapping[str, np.ndarray]

TYPE_SEPARATION = 1e6  # distance between property types: beyond any search radius
UNKNOWN = -1  # code of a property type without sales
DIGITS = 6


class MonthQuery(NamedTuple):
    """The properties of one month and of known types for which comparables are searched."""

    month: int
    index: MonthIndex
    rows: np.ndarray  # rows in the queried columns
    attributes: np.ndarray  # COMPARED of each property; medians where missing, 0 where not compared
    codes: np.ndarray  # codes of property types
    is_complete: np.ndarray  # whether a property has all attributes that are compared


class Comparables:
    """Searchable pool of sales, with columns in order of month and transaction_id.

    `adjustments` holds, by month, the effect of one unit of each of ADJUSTED on the log price per m²; a month that is
    absent has none. A pool that is a part of a larger one needs the larger one's `statistics`. The indexes of the last
    `kept_months` months stay in memory.
    """

    def __init__(
        self,
        pool: Columns,
        adjustments: Mapping[int, np.ndarray],
        config: ComparablesConfig,
        coordinates: Coordinates,
        statistics: PoolStatistics | None = None,
        kept_months: int = 64,
    ) -> None:
        self.pool = pool
        self.adjustments = dict(adjustments)
        self._config = config
        self._coordinates = coordinates
        scales = config.scales
        self._scales = np.array([scales.metres, scales.metres, scales.floors, scales.area, scales.years])
        self.pool_attributes = self.attributes(pool)
        if statistics is None:
            counts = count_pool(pool["month"], pool["property_type"], pool["u"], self.pool_attributes)
            statistics = PoolStatistics.of_counts(counts)
        self._statistics = statistics
        self._types = {name: code for code, name in enumerate(statistics.types)}
        self._codes = self._type_codes(pool)
        self.typical = TypicalAttributes(pool, self.pool_attributes, self._codes, statistics, config.months)
        self._month_index = lru_cache(maxsize=kept_months)(self._build_index)
        self._typical = lru_cache(maxsize=4096)(self.typical.attributes)

    def prepare(self, month: int) -> None:
        """Builds a month's search trees ahead of its first query; takes seconds for a million sales."""
        if (index := self._month_index(month)) is not None:
            _ = index.tree, index.attribute_tree

    def attributes(self, columns: Columns) -> np.ndarray:
        """COMPARED of each property: metres east and north, floor, log of the area, year; NaN where unknown."""
        x, y = projection.project(columns["latitude"], columns["longitude"], self._coordinates)
        return np.column_stack([x, y, columns["floor"], np.log(columns["square_meters"]), columns["year_built"]])

    def is_priced_whole(self, columns: Columns) -> np.ndarray:
        """Whether the levels of a property's type are of whole prices instead of prices per m²."""
        return np.isin(self._type_codes(columns), self._statistics.whole_price_codes)

    def nearest(self, columns: Columns, count: int) -> Neighbours:
        """The `count` most similar sales of each property from the months before its month.

        A missing attribute is replaced by the median of the property's type in its location. A property of an unknown
        type, or without position and without a location with sales, has no comparables.
        """
        neighbours = Neighbours.empty(len(columns["month"]), count)
        for query in self._queries(columns):
            self._search(query, neighbours)
        return neighbours

    def features(self, columns: Columns) -> dict[str, np.ndarray]:
        """COMPARABLE_COLUMNS: implied level, and distances of the nearest comparable and most alike sale.

        Distances are in scales; see `alike_distances` for the last one. NaN without comparables.
        """
        summary = self.summarise(columns)
        none = np.zeros(len(ADJUSTED))
        adjustments = np.array([self.adjustments.get(month, none) for month in columns["month"].tolist()])
        level = adjusted_level(summary.u, summary.differences.T, adjustments.reshape(-1, len(ADJUSTED)).T)
        values = (column.round(DIGITS) for column in (level, summary.distance, self.alike_distances(columns)))
        return dict(zip(COMPARABLE_COLUMNS, values, strict=True))

    def summarise(self, columns: Columns) -> Summary:
        """What the comparables of each property say about it, before adjustments."""
        n_properties = len(columns["month"])
        neighbours = Neighbours.empty(n_properties, self._config.count)
        is_complete = np.zeros(n_properties, dtype=bool)
        for query in self._queries(columns):
            self._search(query, neighbours)
            is_complete[query.rows] = query.is_complete
        u, differences = neighbours.means(self._config.decay)
        # With medians filled in, the level would be that of a typical property, not of this one.
        return Summary(neighbours, is_complete, np.where(is_complete, u, np.nan), differences)

    def alike_distances(self, columns: Columns) -> np.ndarray:
        """Distance by floor, area and year only of the most alike earlier sale of the type, at most `reach`."""
        distances = np.full(len(columns["month"]), np.nan)
        for query in self._queries(columns):
            points = self._attribute_points(query.attributes, query.codes)
            is_known = np.isfinite(points).all(axis=1)
            distance = query.index.attribute_tree.query(points[is_known])[0]
            distances[query.rows[is_known]] = np.minimum(distance, self._config.reach)
        return distances

    @cached_property
    def _combinations(self) -> np.ndarray:
        """A number for each pool sale, equal for sales that are equal in type, floor, area and year."""
        compared = pd.DataFrame(self.pool_attributes[:, 2:]).assign(type=self._codes)
        return compared.groupby(list(compared), sort=False, dropna=False).ngroup().to_numpy()

    def _queries(self, columns: Columns) -> Iterator[MonthQuery]:
        all_attributes, types, months = self.attributes(columns), self._type_codes(columns), columns["month"]
        for month in sorted(set(months.tolist())):
            rows = np.flatnonzero((months == month) & (types != UNKNOWN))
            if rows.size and (index := self._month_index(month)) is not None:
                attributes, codes = all_attributes[rows], types[rows]
                compared = index.compared[codes]
                missing = np.isnan(attributes) & compared
                filled = self._fill_missing(attributes, missing, month, codes, columns["location"][rows])
                yield MonthQuery(month, index, rows, np.where(compared, filled, 0.0), codes, ~missing.any(axis=1))

    def _type_codes(self, columns: Columns) -> np.ndarray:
        return np.array([self._types.get(name, UNKNOWN) for name in columns["property_type"].tolist()], dtype=np.int64)

    def _build_index(self, month: int) -> MonthIndex | None:
        """The sales before `month` that have all attributes compared; None without any usable sales."""
        compared = self._statistics.compared(month, self._config.months)
        if compared is None:
            return None
        first, end = np.searchsorted(self.pool["month"], [month - self._config.months, month])
        is_usable = np.isfinite(self.pool["u"][first:end]) & (self._codes[first:end] != UNKNOWN)
        rows = first + np.flatnonzero(is_usable)
        rows = rows[(np.isfinite(self.pool_attributes[rows]) | ~compared[self._codes[rows]]).all(axis=1)]
        rows = rows[np.argsort(-self.pool["month"][rows], kind="stable")]
        points, attribute_points = (partial(of, rows, compared) for of in (self._pool_points, self._unequal_points))
        return MonthIndex(rows, compared, points, attribute_points)

    def _pool_points(self, rows: np.ndarray, compared: np.ndarray) -> np.ndarray:
        codes = self._codes[rows]
        attributes = np.where(compared[codes], self.pool_attributes[rows], 0.0)
        return self._points(attributes, codes, self.pool["month"][rows])

    def _unequal_points(self, rows: np.ndarray, compared: np.ndarray) -> np.ndarray:
        """The points of the sales, with one point for sales equal in type, floor, area and year.

        Half or more of the sales are equal to another one.
        """
        row_of_combination = np.full(self._combinations.max(initial=-1) + 1, -1)
        row_of_combination[self._combinations[rows]] = rows
        rows = row_of_combination[row_of_combination >= 0]
        codes = self._codes[rows]
        return self._attribute_points(np.where(compared[codes], self.pool_attributes[rows], 0.0), codes)

    def _points(self, attributes: np.ndarray, codes: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Points whose Euclidean distance is the dissimilarity of the properties."""
        scaled = attributes / self._scales
        return np.column_stack([scaled, months / self._config.scales.months, codes * TYPE_SEPARATION])

    def _attribute_points(self, attributes: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return np.column_stack([(attributes / self._scales)[:, 2:], codes * TYPE_SEPARATION])

    def _fill_missing(
        self, attributes: np.ndarray, missing: np.ndarray, month: int, codes: np.ndarray, locations: np.ndarray
    ) -> np.ndarray:
        """The attributes with the `missing` ones filled in; positions stay NaN in a location without sales."""
        filled = attributes.copy()
        for row in np.flatnonzero(missing.any(axis=1)):
            key = (month, self._statistics.types[codes[row]], locations[row])
            typical = self._typical(*key) if self._statistics.typical is None else self._statistics.typical.get(key)
            if typical is not None:
                filled[row] = np.where(missing[row], typical, attributes[row])
        return filled

    def _search(self, query: MonthQuery, neighbours: Neighbours) -> None:
        """Writes the comparables of the queried properties into `neighbours`."""
        has_position = np.isfinite(query.attributes).all(axis=1)
        if not query.index.rows.size:
            return
        attributes, codes = query.attributes[has_position], query.codes[has_position]
        points = self._points(attributes, codes, np.full(len(attributes), query.month))
        distance, point = query.index.nearest(points, neighbours.row.shape[1], self._config.reach)
        exists = np.isfinite(distance)
        row = np.where(exists, query.index.rows[np.where(exists, point, 0)], -1)
        difference = attributes[:, None, 2:] - self.pool_attributes[row][:, :, 2:]
        difference = np.where(exists[..., None] & query.index.compared[codes][:, None, 2:], difference, 0.0)
        # Summed along each row: the last bits of a BLAS product depend on the number of rows.
        adjustment = (difference * self.adjustments.get(query.month, 0.0)).sum(axis=-1)
        u = np.where(exists, self.pool["u"][row], np.nan)
        nearest = (row, np.where(exists, distance, np.nan), u, u + adjustment, difference)
        for whole, values in zip(neighbours, nearest, strict=True):
            whole[query.rows[has_position]] = values


def pool_columns(pool: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of the table of comparable sales as arrays."""
    return {name: pool[name].to_numpy() for name in pool}
