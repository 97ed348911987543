"""Look-up of a property's features in exported tables, equal to what the Spark stage builds."""

from __future__ import annotations

import copy
import json
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from homei.config import projection
from homei.config.city import CityConfig
from homei.config.projection import Coordinates
from homei.features.adjustments import adjustments_by_month
from homei.features.columns import (
    LEVELS,
    MARKET_LEVEL,
    PREVIOUS_COLUMNS,
    change_columns,
    first_day,
    month_of,
    statistic_columns,
)
from homei.features.comparable_evidence import comparable_evidence
from homei.features.comparables import Comparables, pool_columns
from homei.features.config import FeaturesConfig
from homei.features.points_of_interest import PointsOfInterest
from homei.storage import lake

PREVIOUS_KEY = ("property_id", "month")
NO_SALE, UNKNOWN = -1, -2  # the last rows of a level's statistics: a place without sales, and an unknown place


class LookupMonthError(ValueError):
    """A month outside the exported tables."""


def export_lookup(city: CityConfig, features: FeaturesConfig, months: int, folder: Path) -> None:
    """Writes the tables for valuations in the `months` months up to `as_of` and in the month after it.

    The tables are market_index, market_history, adjustments, previous_sales, places and the comparable pool; keys.json
    holds the months, the kinds of places, and the sections of parameters.
    """
    last = month_of(city.as_of) + 1
    first = last - months
    for table in (lake.MARKET_INDEX, lake.ADJUSTMENTS):
        rows = lake.read(table)
        lake.write(rows[rows["month"].between(first, last)], folder / table.name)
    history = _rows_of_months(lake.MARKET_HISTORY, first, last, ["level", "place", "property_type", "month"])
    lake.write(history, folder / lake.MARKET_HISTORY.name)
    # The whole table is in memory, but only as three columns of Arrow.
    previous = lake.scan(lake.PREVIOUS_SALES).to_table().sort_by([(name, "ascending") for name in PREVIOUS_KEY])
    lake.write(_latest_sales(previous, first), folder / lake.PREVIOUS_SALES.name)
    lake.write(lake.read(lake.PLACES), folder / lake.PLACES.name)
    recent = _rows_of_months(
        lake.COMPARABLE_POOL, first - features.comparables.months, last, ["month", "transaction_id"]
    )
    lake.write(recent, folder / lake.COMPARABLE_POOL.name)
    keys = {
        "first_month": first,
        "last_month": last,
        "place_kinds": city.place_kinds,
        "features": features.model_dump(mode="json"),
        "coordinates": city.coordinates.model_dump(mode="json"),
    }
    lake.write_json(keys, folder / "keys.json")


class FeatureLookup:
    """The tables written by `export_lookup`, in memory; raises MissingTableError where one is missing.

    Without `has_previous_sales`, the caller gives those of some properties by `with_previous_sales`.
    """

    def __init__(self, folder: Path, has_previous_sales: bool = True) -> None:
        keys = lake.read_json(folder / "keys.json")
        self.first_month: int = keys["first_month"]
        self.last_month: int = keys["last_month"]
        self._coordinates = Coordinates.model_validate_json(json.dumps(keys["coordinates"]))
        self._features = FeaturesConfig.model_validate_json(json.dumps(keys["features"]))
        self._market = self._market_by_month(lake.read(folder / lake.MARKET_INDEX.name))
        history = lake.read(folder / lake.MARKET_HISTORY.name)
        self._levels = {level: self._statistics(history[history["level"] == level]) for level in LEVELS}
        self._previous = _by_property(lake.read(folder / lake.PREVIOUS_SALES.name)) if has_previous_sales else {}
        places = lake.read(folder / lake.PLACES.name)
        self._places = PointsOfInterest(places, keys["place_kinds"], self._features.places_radius)
        pool, adjustments = (lake.read(folder / table.name) for table in (lake.COMPARABLE_POOL, lake.ADJUSTMENTS))
        self._comparables = Comparables(
            pool_columns(pool), adjustments_by_month(adjustments), self._features.comparables, self._coordinates
        )
        self._comparables.prepare(self.last_month)
        self._prepared = {self.last_month}

    def with_previous_sales(self, previous: pd.DataFrame) -> FeatureLookup:
        """The same tables with other previous sales: for properties that are looked up in parts."""
        lookup = copy.copy(self)
        lookup._previous = _by_property(previous)
        return lookup

    def features(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The features of each row, bit for bit those of the Spark stage for the same sale; NaN where unknown.

        `columns`: property_type, location, property_id (objects, None where unknown), latitude, longitude (degrees or
        metres), square_meters, floor, year_built (NaN where unknown), month (int64). Raises LookupMonthError outside
        first_month..last_month.
        """
        months = columns["month"]
        self._check_months(months)
        x, y = projection.project(columns["latitude"], columns["longitude"], self._coordinates)
        market = self._market[:, months - self.first_month]
        features = dict(zip([MARKET_LEVEL, *change_columns()], market, strict=True))
        places = {
            "location": columns["location"].tolist(),
            "fine": _cell_keys(x, y, self._features.cells.fine),
            "coarse": _cell_keys(x, y, self._features.cells.coarse),
        }
        types, month_list = columns["property_type"].tolist(), months.tolist()
        for level in LEVELS:
            features |= self._history(level, places[level], types, month_list)
        features |= self._previous_sale(columns["property_id"].tolist(), month_list)
        features |= self._comparables.features(columns) | self._places.around(x, y)
        self._prepared.update(month_list)
        return features

    def is_prepared(self, month: int) -> bool:
        """Whether a month was looked up before; the first look-up of a month can take seconds in a large city."""
        return month in self._prepared

    def comparables(self, columns: Mapping[str, np.ndarray], count: int) -> list[list[dict[str, Any]]]:
        """The `count` nearest comparable sales of each row, see `comparable_evidence`."""
        self._check_months(columns["month"])
        market_level = self._market[0, columns["month"] - self.first_month]
        return comparable_evidence(self._comparables, columns, market_level, count)

    def _check_months(self, months: np.ndarray) -> None:
        outside = months[(months < self.first_month) | (months > self.last_month)]
        if outside.size:
            month, first, last = (
                f"{first_day(int(value)):%Y-%m}" for value in (outside[0], self.first_month, self.last_month)
            )
            raise LookupMonthError(f"month {month} is outside the look-up tables: choose one from {first} to {last}")

    def _market_by_month(self, index: pd.DataFrame) -> np.ndarray:
        """The index's columns (rows) by month (columns); NaN for months before the index begins."""
        months = range(self.first_month, self.last_month + 1)
        return index.set_index("month").reindex(months)[[MARKET_LEVEL, *change_columns()]].to_numpy("f8").T.copy()

    def _statistics(self, history: pd.DataFrame) -> tuple[dict[tuple, int], np.ndarray]:
        """The row of each place, property type and month, and the statistics (statistics × rows)."""
        names = statistic_columns(self._features)
        keys = zip(*(history[name].tolist() for name in ("place", "property_type", "month")), strict=True)
        no_sale = [0.0 if name.startswith("count") else np.nan for name in names]
        values = np.vstack([history[names].to_numpy("f8"), np.full(len(names), np.nan), no_sale])
        return {key: row for row, key in enumerate(keys)}, values.T.copy()

    def _history(self, level: str, places: list, types: list, months: list) -> dict[str, np.ndarray]:
        row_by_key, values = self._levels[level]
        rows = [
            UNKNOWN if place is None or name is None else row_by_key.get((place, name, month), NO_SALE)
            for place, name, month in zip(places, types, months, strict=True)
        ]
        names = [f"{level}_{name}" for name in statistic_columns(self._features)]
        return dict(zip(names, values[:, rows], strict=True))

    def _previous_sale(self, properties: list, months: list) -> dict[str, np.ndarray]:
        values = np.full((2, len(months)), np.nan)
        for row, (property_id, month) in enumerate(zip(properties, months, strict=True)):
            sale_months, levels = self._previous.get(property_id, ((), ()))
            if n_earlier := bisect_left(sale_months, month):
                values[:, row] = levels[n_earlier - 1], month - sale_months[n_earlier - 1]
        return dict(zip(PREVIOUS_COLUMNS, values, strict=True))


def _rows_of_months(table: Path, first: int, last: int, key: list[str]) -> pa.Table:
    """The rows of a table from `first` to `last`, in order of its key.

    Other rows are not read into memory.
    """
    month = ds.field("month")
    rows = lake.scan(table).to_table(filter=(month >= first) & (month <= last))
    return rows.sort_by([(name, "ascending") for name in key])


def _latest_sales(previous: pa.Table, first_month: int) -> pa.Table:
    """The sales that can be a property's latest one from `first_month` on; `previous` in order of PREVIOUS_KEY."""
    if not previous.num_rows:
        return previous
    is_earlier = previous["month"].to_numpy() < first_month
    properties = previous["property_id"]
    is_same = pc.equal(properties.slice(1), properties.slice(0, len(properties) - 1)).to_numpy()
    is_followed = np.append(is_same & is_earlier[1:], False)
    return previous.filter(pa.array(~(is_earlier & is_followed)))


def _by_property(previous: pd.DataFrame) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Months and levels of each property's sales, earliest first."""
    sales: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {}
    for name, month, u in zip(*(previous[column].tolist() for column in ("property_id", "month", "u")), strict=True):
        months, levels = sales.get(name, ((), ()))
        sales[name] = (*months, month), (*levels, u)
    return sales


def _cell_keys(x: np.ndarray, y: np.ndarray, size_m: float) -> list[str | None]:
    columns, rows = projection.cell(x, y, size_m, np.floor)
    return [
        projection.CELL % (column, row) if column == column and row == row else None
        for column, row in zip(columns.tolist(), rows.tolist(), strict=True)
    ]
