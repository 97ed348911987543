"""Widening of intervals for properties without attributes that their type usually has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from homei.training.encoding import Columns

MIN_KNOWN_SHARE = 0.75  # an attribute is usual for a type if at least this share of its sales has it


@dataclass(frozen=True)
class MissingAttributes:
    """The usual attributes of each property type, and the interval factor for each missing attribute.

    A house has no floor, so it is not missing one. A type without sales has no usual attributes.
    """

    usual: Mapping[str, tuple[str, ...]]
    widening: Mapping[str, float]

    @classmethod
    def fit(cls, columns: Columns, attributes: Sequence[str]) -> MissingAttributes:
        """The usual attributes of each type among the sales, with factors of 1."""
        types = columns["property_type"]
        is_known = {name: ~is_unknown(columns[name]) for name in attributes}
        usual = {
            kind: tuple(name for name in attributes if is_known[name][types == kind].mean() >= MIN_KNOWN_SHARE)
            for kind in sorted(set(types.tolist()))
        }
        return cls(usual, dict.fromkeys(attributes, 1.0))

    def missing(self, columns: Columns) -> np.ndarray:
        """properties × attributes (in the order of `widening`): True if a usual attribute is missing."""
        number_by_type, usual_by_type = self._usual_matrix
        usual = usual_by_type[[number_by_type.get(kind, -1) for kind in columns["property_type"].tolist()]]
        unknown = np.array([is_unknown(columns[name]) for name in self.widening], dtype=bool)
        return usual & unknown.reshape(usual.shape[::-1]).T

    @cached_property
    def _usual_matrix(self) -> tuple[dict[str, int], np.ndarray]:
        """The row of each type, and types × attributes: whether usual; the last row is for any other type."""
        rows = [[name in names for name in self.widening] for names in [*self.usual.values(), ()]]
        numbers = {kind: number for number, kind in enumerate(self.usual)}
        return numbers, np.array(rows, dtype=bool).reshape(len(rows), len(self.widening))

    def factor(self, columns: Columns) -> np.ndarray:
        """The factor on each property's interval: the product of the factors of its missing attributes."""
        return np.where(self.missing(columns), list(self.widening.values()), 1.0).prod(axis=1)

    def to_json(self) -> dict[str, Any]:
        return {"usual": {kind: list(names) for kind, names in self.usual.items()}, "widening": dict(self.widening)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> MissingAttributes:
        return cls({kind: tuple(names) for kind, names in content["usual"].items()}, content["widening"])


def is_unknown(values: np.ndarray) -> np.ndarray:
    """Mask of missing values: NaN among numbers, None among texts."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    return np.array([value is None for value in values.tolist()], dtype=bool)
