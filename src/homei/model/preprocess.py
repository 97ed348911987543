"""From a property's columns to the matrix that models read: the same code for one row over HTTP and for a table."""

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
    """Columns to a float64 matrix: numbers as they are (NaN where unknown), derived ones, categories as codes.

    `categories` lists each categorical column's values in the order of their codes; what isn't listed is NaN.
    """

    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def learn(cls, columns: Columns, numeric: Sequence[str], categorical: Sequence[str]) -> Encoder:
        """The encoder of the given inputs, with the categories that occur in `columns`."""
        seen = {name: {value for value in columns[name].tolist() if isinstance(value, str)} for name in categorical}
        return cls(tuple(numeric), {name: tuple(sorted(values)) for name, values in seen.items()})

    @property
    def names(self) -> list[str]:
        """The matrix's columns: numeric, derived, categorical.

        Derived are the age in years at the valuation, the log of the area, the month as `features.columns.month_of`
        numbers it (trees value a later month like the last one they know) and the month of the year.
        """
        return [*self.numeric, *DERIVED, *self.categories]

    @property
    def categorical(self) -> list[int]:
        """Where in the matrix the categories' codes are."""
        first = len(self.numeric) + len(DERIVED)
        return list(range(first, first + len(self.categories)))

    def matrix(self, columns: Columns) -> np.ndarray:
        """One row a property, one column a name of `names`; raises KeyError where a column is missing."""
        filled = np.empty((len(columns["month"]), len(self.numeric) + len(DERIVED) + len(self.categories)))
        for place, name in enumerate(self.numeric):
            filled[:, place] = columns[name]
        first = len(self.numeric)
        filled[:, first] = columns["month"] // 12 - columns["year_built"]
        filled[:, first + 1] = np.log(columns["square_meters"])
        filled[:, first + 2] = columns["month"]
        filled[:, first + 3] = columns["month"] % 12
        for place, (name, codes) in enumerate(self._codes.items(), start=first + len(DERIVED)):
            filled[:, place] = [codes.get(value, np.nan) for value in columns[name].tolist()]
        return filled

    @cached_property
    def _codes(self) -> dict[str, dict[str, float]]:
        return {name: {value: float(code) for code, value in enumerate(seen)} for name, seen in self.categories.items()}

    def to_json(self) -> str:
        """What `from_json` reads."""
        written = {"numeric": self.numeric, "categories": self.categories}
        return json.dumps(written, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        """The encoder that `to_json` wrote."""
        written = json.loads(text)
        return cls(tuple(written["numeric"]), {name: tuple(seen) for name, seen in written["categories"].items()})


def target(columns: Columns) -> np.ndarray:
    """What models learn: the log of the price per m² against the city's level known before the sale's month.

    Measured so, trees, which can't extrapolate, need not follow the market.
    """
    return np.round(np.log(columns["price"]) - base(columns), 9)


def base(columns: Columns) -> np.ndarray:
    """The log of the price that a home of that area would have at the city's level."""
    return np.log(columns["square_meters"]) + columns[MARKET_LEVEL]


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of a frame as arrays: float64, int64, or objects with None where unknown."""
    return {name: _array(frame[name]) for name in frame.columns}


def _array(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "iuf":
        # Of one piece, so that logarithms take the same path through numpy however the frame was cut.
        return np.array(column, np.float64 if column.dtype.kind == "f" else np.int64)
    return column.astype(object).where(column.notna(), None).to_numpy()
