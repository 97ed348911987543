"""Encoding of columns as the input matrix of models, for single requests and tables alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from homei.features.columns import MARKET_LEVEL

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, np.ndarray]

DERIVED = ("age", "log_area", "month", "season")
MIN_SALES = 10  # of a type without an area, for a typical price of their own


@dataclass(frozen=True)
class Encoder:
    """Encodes columns as a float64 matrix of numbers (NaN if unknown), derived inputs and codes.

    `categories` lists the values of each categorical column in the order of their codes; other values become NaN.
    `whole_prices` is the typical log price of each property type relative to the city's level, to which prices of
    properties without an area are relative. It is stored if the model was trained on such properties.
    """

    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    whole_prices: Mapping[str, float] = field(default_factory=dict, compare=False)
    has_unknown_areas: bool = False

    @classmethod
    def fit(cls, columns: Columns, numeric: Sequence[str], categorical: Sequence[str]) -> Encoder:
        """The encoder of the named inputs, with the categories and typical prices of the sales in `columns`."""
        values = {name: {value for value in columns[name].tolist() if isinstance(value, str)} for name in categorical}
        categories = {name: tuple(sorted(present)) for name, present in values.items()}
        is_unknown = np.isnan(columns["square_meters"])
        return cls(tuple(numeric), categories, _whole_prices(columns, is_unknown), bool(is_unknown.any()))

    @property
    def names(self) -> list[str]:
        """The matrix's columns: numeric, derived, categorical.

        Derived are the age in years, the log of the area, the month's number (trees value a later month like the last
        one in training) and the month of the year.
        """
        return [*self.numeric, *DERIVED, *self.categories]

    @property
    def categorical(self) -> list[int]:
        """The positions of category codes in the matrix."""
        first = len(self.numeric) + len(DERIVED)
        return list(range(first, first + len(self.categories)))

    def matrix(self, columns: Columns) -> np.ndarray:
        """properties × `names`; raises KeyError if a column is missing."""
        month, first = columns["month"], len(self.numeric)
        matrix = np.empty((len(month), len(self.names)))
        for position, name in enumerate(self.numeric):
            matrix[:, position] = columns[name]
        matrix[:, first] = month // 12 - columns["year_built"]
        matrix[:, first + 1] = np.log(columns["square_meters"])
        matrix[:, first + 2] = month
        matrix[:, first + 3] = month % 12
        for position, (name, codes) in zip(self.categorical, self._codes.items(), strict=True):
            matrix[:, position] = [codes.get(value, np.nan) for value in columns[name].tolist()]
        return matrix

    def target(self, columns: Columns) -> np.ndarray:
        """The models' target: log price minus `log_base_price`, so that trees need not extrapolate the market."""
        return np.round(np.log(columns["price"]) - self.log_base_price(columns), 9)

    def log_base_price(self, columns: Columns) -> np.ndarray:
        """The log price of a property of that area, or else of a typical one of its type, at the city's level.

        The level is the one known before the sale's month.
        """
        return self.log_size(columns) + columns[MARKET_LEVEL]

    def log_size(self, columns: Columns) -> np.ndarray:
        """The log of each area; for an unknown one, the type's log price relative to the city's level."""
        log_area = np.log(columns["square_meters"])
        if not self.whole_prices:
            return log_area
        average = float(np.mean(list(self.whole_prices.values())))
        typical = [self.whole_prices.get(kind, average) for kind in columns["property_type"].tolist()]
        return np.where(np.isnan(log_area), typical, log_area)

    @cached_property
    def _codes(self) -> dict[str, dict[str, float]]:
        return {
            name: {value: float(code) for code, value in enumerate(values)} for name, values in self.categories.items()
        }

    def to_json(self) -> str:
        content = {"numeric": self.numeric, "categories": self.categories}
        if self.has_unknown_areas:
            content["whole_prices"] = self.whole_prices
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        content = json.loads(text)
        categories = {name: tuple(values) for name, values in content["categories"].items()}
        return cls(tuple(content["numeric"]), categories, content.get("whole_prices", {}), "whole_prices" in content)


def _whole_prices(columns: Columns, is_unknown: np.ndarray) -> dict[str, float]:
    """The mean log price relative to the city's level, by property type, of its sales without an area.

    A type with fewer than MIN_SALES of these has the mean of all its sales.
    """
    relative, types = np.log(columns["price"]) - columns[MARKET_LEVEL], columns["property_type"]
    means = {}
    for kind in sorted({kind for kind in types.tolist() if kind is not None}):
        is_kind = types == kind
        is_typical = is_kind & is_unknown
        rows = is_typical if is_typical.sum() >= MIN_SALES else is_kind
        means[kind] = round(float(relative[rows].mean()), 6)
    return means


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of a frame as arrays: float64, int64, or objects with None where unknown."""
    return {name: _array(frame[name]) for name in frame.columns}


def _array(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "iuf":
        # Contiguous, so that numpy computes logarithms on the same path for any slice of a frame.
        return np.array(column, np.float64 if column.dtype.kind == "f" else np.int64)
    return column.astype(object).where(column.notna(), None).to_numpy()
