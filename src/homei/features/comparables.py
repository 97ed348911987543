"""Comparables: the most similar earlier sales of a home, and what their prices say of it.

Likeness is a distance over place, floor, area, age and time, each on a scale of its own (features.comparables.scales);
only homes of the same type are compared. Differences are made up for as `features.adjustments` has learnt their worth,
the market's movement since a comparable's sale by the city's price index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from homei.features import keys
from homei.features.columns import COMPARABLE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from homei.config import Likeness
    from homei.source import Coordinates

Columns = Mapping[str, np.ndarray]

COMPARED = ("x", "y", "floor", "log_area", "year_built")
ADJUSTED = COMPARED[2:]  # what has a price of its own; a place's is in the sales around it
KNOWN_ENOUGH = 0.5  # the share of a type's sales that must tell an attribute for it to be compared
APART = 1e6  # between types: far beyond any reach
UNKNOWN = -1  # the code of a type that was never sold
DIGITS = 6


class Found(NamedTuple):
    """The comparables of homes, homes × count, the most similar first; row −1 and NaN where there are fewer."""

    row: np.ndarray  # of the sales searched
    distance: np.ndarray  # in scales: 1 is as far as each scale says
    level: np.ndarray  # the sale's log price per m² against the index, adjusted to the home
    apart: np.ndarray  # homes × count × ADJUSTED: home less comparable, 0 where not compared

    def weights(self, decay: float) -> np.ndarray:
        """Each comparable's share of its home's level, 0 where there is none: e times less for each `decay` further."""
        nearest = np.where(np.isfinite(self.distance[:, :1]), self.distance[:, :1], 0.0)
        nearness = np.exp((nearest - self.distance) / decay)
        return np.where(self.row >= 0, nearness, 0.0)

    def mean_level(self, decay: float) -> np.ndarray:
        """The level that each home's comparables imply together; NaN without any."""
        weights = self.weights(decay)
        total = weights.sum(axis=1)
        level = np.where(self.row >= 0, self.level, 0.0)
        return (weights * level).sum(axis=1) / np.where(total > 0, total, np.nan)


@dataclass(frozen=True, eq=False)
class Month:
    """What is searched for homes of one month: a tree over the sales of the months before it."""

    tree: cKDTree
    alike: cKDTree  # the same sales by their attributes alone, wherever and whenever they were sold
    rows: np.ndarray  # of all sales, by place in the trees
    compared: np.ndarray  # types × COMPARED: what enough sales of a type tell; houses, say, have no floor


class Asked(NamedTuple):
    """The homes of one month and of known types that comparables are searched for."""

    month: int
    searched: Month
    rows: np.ndarray  # of the columns asked with
    homes: np.ndarray  # COMPARED of each, filled in where it is left out, 0 where it isn't compared
    codes: np.ndarray  # of their types
    tells_all: np.ndarray  # whether a home itself tells all that is compared


class Comparables:
    """Sales to be searched, in order of month: `sold` has property_type, month, u, and the attributes compared.

    `worth` gives for each month the worth of one unit of each of ADJUSTED in log price per m²; absent months have none.
    """

    def __init__(
        self, sold: Columns, worth: Mapping[int, np.ndarray], likeness: Likeness, coordinates: Coordinates
    ) -> None:
        self.sold = sold
        self.worth = dict(worth)
        self._likeness = likeness
        self._coordinates = coordinates
        scales = likeness.scales
        self._scales = np.array([scales.metres, scales.metres, scales.floors, scales.area, scales.years])
        self._types = {name: code for code, name in enumerate(sorted(set(sold["property_type"].tolist()) - {None}))}
        self.attributes_of_sold = self.attributes(sold)
        self._codes = self._type_codes(sold)
        self._month = lru_cache(maxsize=64)(self._search_in)
        self._typical = lru_cache(maxsize=4096)(self._typical_in)

    def prepare(self, month: int) -> None:
        """Builds what is searched for homes of a month, which else its first search does: seconds among a million."""
        self._month(month)

    def attributes(self, columns: Columns) -> np.ndarray:
        """COMPARED of each home: metres, floors, the log of the area, years; NaN where unknown."""
        x, y = keys.project(columns["latitude"], columns["longitude"], self._coordinates)
        return _side_by_side(x, y, columns["floor"], np.log(columns["square_meters"]), columns["year_built"])

    def of(self, columns: Columns, count: int) -> Found:
        """The `count` most similar earlier sales of each home, as known before its month.

        An attribute that a home leaves out is taken for the median of its type in its location. No comparables for an
        unknown type, and for a home of which neither the place nor a location with sales is known.
        """
        found = _nothing(len(columns["month"]), count)
        for asked in self._asked(columns):
            self._search(asked, found)
        return found

    def features(self, columns: Columns, found: Found | None = None) -> dict[str, np.ndarray]:
        """COMPARABLE_COLUMNS of each home: its level, and how far the nearest comparable and the most alike sale are.

        Distances are in scales, the second over floor, area and age alone, wherever the sale was; NaN without any.
        """
        homes, to_search = len(columns["month"]), found is None
        found = _nothing(homes, self._likeness.count) if found is None else found
        alike, tells_all = np.full(homes, np.nan), np.zeros(homes, dtype=bool)
        for asked in self._asked(columns):
            if to_search:
                self._search(asked, found)
            points = self._alike(asked.homes, asked.codes)
            known = np.isfinite(points).all(axis=1)
            alike[asked.rows[known]] = asked.searched.alike.query(points[known])[0]
            tells_all[asked.rows] = asked.tells_all
        # The level of a typical home would pass for that of a home which leaves out what is compared.
        level = np.where(tells_all, found.mean_level(self._likeness.decay), np.nan)
        columns_found = (values.round(DIGITS) for values in (level, found.distance[:, 0], alike))
        return dict(zip(COMPARABLE_COLUMNS, columns_found, strict=True))

    def _asked(self, columns: Columns) -> Iterator[Asked]:
        homes, types, months = self.attributes(columns), self._type_codes(columns), columns["month"]
        for month in sorted(set(months.tolist())):
            rows = np.flatnonzero((months == month) & (types != UNKNOWN))
            if rows.size and (searched := self._month(month)) is not None:
                own, codes = homes[rows], types[rows]
                compared = searched.compared[codes]
                missing = np.isnan(own) & compared
                filled = self._filled(own, missing, codes, columns["location"][rows], searched)
                yield Asked(month, searched, rows, np.where(compared, filled, 0.0), codes, ~missing.any(axis=1))

    def _type_codes(self, columns: Columns) -> np.ndarray:
        return np.array([self._types.get(name, UNKNOWN) for name in columns["property_type"].tolist()], dtype=np.int64)

    def _search_in(self, month: int) -> Month | None:
        """The trees over the sales of the months before that tell all that is compared; None without any."""
        first, end = np.searchsorted(self.sold["month"], [month - self._likeness.months, month])
        known = np.isfinite(self.sold["u"][first:end]) & (self._codes[first:end] != UNKNOWN)
        rows = first + np.flatnonzero(known)
        if not rows.size:
            return None
        told = np.isfinite(self.attributes_of_sold[rows])
        compared = self._told_enough(told, self._codes[rows])
        rows = rows[(told | ~compared[self._codes[rows]]).all(axis=1)]
        codes = self._codes[rows]
        attributes = np.where(compared[codes], self.attributes_of_sold[rows], 0.0)
        places = self._places(attributes, codes, self.sold["month"][rows])
        return Month(cKDTree(places), cKDTree(self._alike(attributes, codes)), rows, compared)

    def _told_enough(self, told: np.ndarray, codes: np.ndarray) -> np.ndarray:
        types = len(self._types)
        sales = np.bincount(codes, minlength=types)
        tell = np.column_stack([np.bincount(codes, weights=column, minlength=types) for column in told.T])
        return tell >= KNOWN_ENOUGH * np.maximum(sales, 1)[:, None]

    def _places(self, attributes: np.ndarray, codes: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Points between which the distance is the likeness."""
        scaled = attributes / self._scales
        return _side_by_side(*scaled.T, months / self._likeness.scales.months, codes * APART)

    def _alike(self, attributes: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return _side_by_side(*(attributes / self._scales).T[2:], codes * APART)

    def _filled(
        self, homes: np.ndarray, missing: np.ndarray, codes: np.ndarray, locations: np.ndarray, searched: Month
    ) -> np.ndarray:
        """The homes with what is `missing` of each; a place stays unknown where nothing was sold."""
        some = np.flatnonzero(missing.any(axis=1))
        if not some.size:
            return homes
        theirs = zip(codes[some].tolist(), locations[some].tolist(), strict=True)
        filled = homes.copy()
        filled[some] = np.where(missing[some], [self._typical(searched, *own) for own in theirs], homes[some])
        return filled

    def _typical_in(self, searched: Month, code: int, location: str | None) -> np.ndarray:
        """The median of a type's sales in a location, or in the city, but for the place, where it has none there."""
        alike = searched.rows[self._codes[searched.rows] == code]
        there = alike[self.sold["location"][alike] == location]
        typical = np.median(self.attributes_of_sold[there if there.size else alike], axis=0)
        return typical if there.size else np.where(np.arange(len(COMPARED)) < 2, np.nan, typical)

    def _search(self, asked: Asked, found: Found) -> None:
        """Puts the comparables of the homes asked for among those found."""
        placed = np.isfinite(asked.homes).all(axis=1)
        homes, codes = asked.homes[placed], asked.codes[placed]
        points = self._places(homes, codes, np.full(len(homes), asked.month))
        counts, reach = range(1, found.row.shape[1] + 1), self._likeness.reach
        distance, place = asked.searched.tree.query(points, k=counts, distance_upper_bound=reach)
        there = np.isfinite(distance)
        row = np.where(there, asked.searched.rows[np.where(there, place, 0)], -1)
        apart = homes[:, None, 2:] - self.attributes_of_sold[row][:, :, 2:]
        apart = np.where(there[..., None] & asked.searched.compared[codes][:, None, 2:], apart, 0.0)
        # Summed along each row: a product by BLAS depends in its last bits on how many rows there are.
        level = self.sold["u"][row] + (apart * self.worth.get(asked.month, 0.0)).sum(axis=-1)
        nearest = (row, np.where(there, distance, np.nan), np.where(there, level, np.nan), apart)
        for whole, values in zip(found, nearest, strict=True):
            whole[asked.rows[placed]] = values


def _side_by_side(*columns: np.ndarray) -> np.ndarray:
    """Columns as a matrix; numpy's own column_stack takes four times as long for a single home."""
    filled = np.empty((len(columns[0]), len(columns)))
    for place, column in enumerate(columns):
        filled[:, place] = column
    return filled


def _nothing(*shape: int) -> Found:
    return Found(np.full(shape, -1), np.full(shape, np.nan), np.full(shape, np.nan), np.zeros((*shape, len(ADJUSTED))))


def columns_of(sold: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of a table of sold homes as they are searched."""
    return {name: sold[name].to_numpy() for name in sold}
