"""Encoding of columns as the input matrix of models, for single requests and tables alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from homei.features.columns import MARKET_LEVEL

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, np.ndarray]

DERIVED = ("age", "log_area", "month", "season")


@dataclass(frozen=True)
class Encoder:
    """Encodes columns as a float64 matrix of numbers (NaN if unknown), derived inputs and codes.

    `categories` lists the values of each categorical column in the order of their codes; other values become NaN.
    """

    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, columns: Columns, numeric: Sequence[str], categorical: Sequence[str]) -> Encoder:
        """The encoder of the named inputs, with the categories that occur in `columns`."""
        values = {name: {value for value in columns[name].tolist() if isinstance(value, str)} for name in categorical}
        return cls(tuple(numeric), {name: tuple(sorted(present)) for name, present in values.items()})

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

    @cached_property
    def _codes(self) -> dict[str, dict[str, float]]:
        return {
            name: {value: float(code) for code, value in enumerate(values)} for name, values in self.categories.items()
        }

    def to_json(self) -> str:
        content = {"numeric": self.numeric, "categories": self.categories}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        content = json.loads(text)
        return cls(tuple(content["numeric"]), {name: tuple(values) for name, values in content["categories"].items()})


def target(columns: Columns) -> np.ndarray:
    """The models' target: log price per m² relative to the city's level known before the sale's month.

    Relative to the level, trees need not extrapolate the market.
    """
    return np.round(np.log(columns["price"]) - log_base_price(columns), 9)


def log_base_price(columns: Columns) -> np.ndarray:
    """The log price of a property of that area at the city's level."""
    return np.log(columns["square_meters"]) + columns[MARKET_LEVEL]


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of a frame as arrays: float64, int64, or objects with None where unknown."""
    return {name: _array(frame[name]) for name in frame.columns}


def _array(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "iuf":
        # Contiguous, so that numpy computes logarithms on the same path for any slice of a frame.
        return np.array(column, np.float64 if column.dtype.kind == "f" else np.int64)
    return column.astype(object).where(column.notna(), None).to_numpy()
