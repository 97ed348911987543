"""The features of a property as Spark would build them, looked up in Spark's tables: what the service uses."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Features
from homei.features import keys
from homei.features.adjustments import worth_by_month
from homei.features.columns import (
    LEVELS,
    MARKET_LEVEL,
    PREVIOUS_COLUMNS,
    change_columns,
    first_day,
    month_of,
    statistic_columns,
)
from homei.features.comparables import Comparables, columns_of
from homei.features.implied import told
from homei.features.places import Surroundings
from homei.source import Coordinates, Source

NO_SALE, UNKNOWN = -1, -2  # the last rows of a level's statistics: a place without sales, and no place at all


class LookupMonthError(ValueError):
    """A month of which the tables at hand tell nothing."""


def export(source: Source, features: Features, months: int, folder: Path) -> None:
    """Writes into `folder` what valuations need in the `months` months up to `as_of` and in the month after.

    The tables market_index, market_history, adjustments, previous_sales, places, sold, and keys.json.
    """
    last = month_of(source.as_of) + 1
    first = last - months
    for table in (lake.MARKET_INDEX, lake.MARKET_HISTORY, lake.ADJUSTMENTS):
        rows = lake.read(table)
        lake.write(rows[rows["month"].between(first, last)], folder / table.name)
    lake.write(_still_needed(lake.read(lake.PREVIOUS_SALES), first), folder / lake.PREVIOUS_SALES.name)
    lake.write(lake.read(lake.PLACES), folder / lake.PLACES.name)
    sold = lake.read(lake.SOLD)
    lake.write(lake.typed(sold[sold["month"] >= first - features.comparables.months]), folder / lake.SOLD.name)
    meta = {"first_month": first, "last_month": last, "place_kinds": source.place_kinds}
    sections = {"features": features, "coordinates": source.coordinates}
    written = {name: section.model_dump(mode="json") for name, section in sections.items()}
    lake.write_json(meta | written, folder / "keys.json")


class Lookup:
    """The tables of one export, held for quick look-ups."""

    def __init__(self, folder: Path) -> None:
        meta = lake.read_json(folder / "keys.json")
        self.first_month: int = meta["first_month"]
        self.last_month: int = meta["last_month"]
        self._coordinates = Coordinates.model_validate_json(json.dumps(meta["coordinates"]))
        self._sections = Features.model_validate_json(json.dumps(meta["features"]))
        self._market = self._by_month(lake.read(folder / lake.MARKET_INDEX.name))
        history = lake.read(folder / lake.MARKET_HISTORY.name)
        self._levels = {level: self._statistics(history[history["level"] == level]) for level in LEVELS}
        self._previous = _by_property(lake.read(folder / lake.PREVIOUS_SALES.name))
        places = lake.read(folder / lake.PLACES.name)
        self._surroundings = Surroundings(places, meta["place_kinds"], self._sections.places_radius)
        sold, worth = lake.read(folder / lake.SOLD.name), lake.read(folder / lake.ADJUSTMENTS.name)
        self._comparables = Comparables(
            columns_of(sold), worth_by_month(worth), self._sections.comparables, self._coordinates
        )
        self._comparables.prepare(self.last_month)
        self._prepared = {self.last_month}

    @classmethod
    def load(cls, folder: Path) -> Lookup:
        """What `export` wrote into a folder; raises MissingTableError where a part is missing."""
        return cls(folder)

    def features(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The features of each row, bit for bit what Spark gives the same sale; NaN where unknown.

        `columns`: property_type, location, property_id (objects, None where unknown), latitude, longitude (degrees or
        metres), square_meters, floor, year_built (NaN where unknown), month (int64). Raises LookupMonthError outside
        first_month..last_month.
        """
        months = columns["month"]
        self._check(months)
        x, y = keys.project(columns["latitude"], columns["longitude"], self._coordinates)
        found = dict(zip([MARKET_LEVEL, *change_columns()], self._market[:, months - self.first_month], strict=True))
        places = {
            "location": columns["location"].tolist(),
            "fine": _cell_keys(x, y, self._sections.cells.fine),
            "coarse": _cell_keys(x, y, self._sections.cells.coarse),
        }
        kinds, month_list = columns["property_type"].tolist(), months.tolist()
        for level in LEVELS:
            found |= self._history(level, places[level], kinds, month_list)
        found |= self._previous_sale(columns["property_id"].tolist(), month_list)
        found |= self._comparables.features(columns) | self._surroundings.around(x, y)
        self._prepared.update(month_list)
        return found

    def is_prepared(self, month: int) -> bool:
        """Whether a month's features are quickly had; a month's first home takes up to seconds, among a million."""
        return month in self._prepared

    def comparables(self, columns: Mapping[str, np.ndarray], count: int) -> list[list[dict[str, Any]]]:
        """The `count` most similar earlier sales of each row, as `features.implied.told` tells them."""
        self._check(columns["month"])
        market_level = self._market[0, columns["month"] - self.first_month]
        return told(self._comparables, columns, market_level, count)

    def _check(self, months: np.ndarray) -> None:
        if not months.size or (months.min() >= self.first_month and months.max() <= self.last_month):
            return
        wrong = next(int(month) for month in months if not self.first_month <= month <= self.last_month)
        first, last = (f"{first_day(month):%Y-%m}" for month in (self.first_month, self.last_month))
        raise LookupMonthError(f"month {first_day(wrong):%Y-%m} is outside what is known here: {first} to {last}")

    def _by_month(self, index: pd.DataFrame) -> np.ndarray:
        """The index's columns by month, one row each, NaN for months before the index begins."""
        every = range(self.first_month, self.last_month + 1)
        return index.set_index("month").reindex(every)[[MARKET_LEVEL, *change_columns()]].to_numpy("f8").T.copy()

    def _statistics(self, history: pd.DataFrame) -> tuple[dict[tuple, int], np.ndarray]:
        """The row of each place, property type and month, and the statistics (statistics × rows)."""
        names = statistic_columns(self._sections)
        own = zip(*(history[name].tolist() for name in ("place", "property_type", "month")), strict=True)
        no_sale = [0.0 if name.startswith("count") else np.nan for name in names]
        values = np.vstack([history[names].to_numpy("f8"), np.full(len(names), np.nan), no_sale])
        return {key: row for row, key in enumerate(own)}, values.T.copy()

    def _history(self, level: str, places: list, kinds: list, months: list) -> dict[str, np.ndarray]:
        rows_of, values = self._levels[level]
        rows = [
            UNKNOWN if place is None or kind is None else rows_of.get((place, kind, month), NO_SALE)
            for place, kind, month in zip(places, kinds, months, strict=True)
        ]
        names = [f"{level}_{name}" for name in statistic_columns(self._sections)]
        return dict(zip(names, values[:, rows], strict=True))

    def _previous_sale(self, properties: list, months: list) -> dict[str, np.ndarray]:
        found = np.full((2, len(months)), np.nan)
        for row, (name, month) in enumerate(zip(properties, months, strict=True)):
            sold, levels = self._previous.get(name, ((), ()))
            if earlier := bisect_left(sold, month):
                found[:, row] = levels[earlier - 1], month - sold[earlier - 1]
        return dict(zip(PREVIOUS_COLUMNS, found, strict=True))


def _still_needed(previous: pd.DataFrame, first_month: int) -> pd.DataFrame:
    """The sales that can be a property's latest one from `first_month` on."""
    earlier = previous[previous["month"] < first_month].drop_duplicates("property_id", keep="last")
    return pd.concat([earlier, previous[previous["month"] >= first_month]]).sort_values(["property_id", "month"])


def _by_property(previous: pd.DataFrame) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Months and levels of each property's sales, earliest first."""
    sold: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {}
    for name, month, u in zip(*(previous[column].tolist() for column in ("property_id", "month", "u")), strict=True):
        months, levels = sold.get(name, ((), ()))
        sold[name] = (*months, month), (*levels, u)
    return sold


def _cell_keys(x: np.ndarray, y: np.ndarray, size: float) -> list[str | None]:
    columns, rows = keys.cell(x, y, size, np.floor)
    return [
        keys.CELL % (column, row) if column == column and row == row else None
        for column, row in zip(columns.tolist(), rows.tolist(), strict=True)
    ]
