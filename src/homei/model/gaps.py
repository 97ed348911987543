"""Attributes left out that homes of the type usually tell: how much wider an interval is without each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from homei.model.preprocess import Columns

USUAL = 0.75  # the share of a type's sales that tell what is usually told


@dataclass(frozen=True)
class Gaps:
    """By property type what is usually told of a home; and by attribute how many times as wide intervals are without.

    A house has no floor: not to tell one is no gap. A home of a type without sales has none.
    """

    told: Mapping[str, tuple[str, ...]]
    widening: Mapping[str, float]

    @classmethod
    def learn(cls, columns: Columns, attributes: Sequence[str]) -> Gaps:
        """Which of the `attributes` the sales of each type usually tell; nothing is any wider without them yet."""
        types = columns["property_type"]
        known = {name: ~unknown(columns[name]) for name in attributes}
        told = {
            kind: tuple(name for name in attributes if known[name][types == kind].mean() >= USUAL)
            for kind in sorted(set(types.tolist()))
        }
        return cls(told, dict.fromkeys(attributes, 1.0))

    def lacking(self, columns: Columns) -> np.ndarray:
        """homes × attributes, as `widening` orders them: True where a home doesn't tell what its type usually tells."""
        number, told = self._usual
        usual = told[[number.get(kind, -1) for kind in columns["property_type"].tolist()]]
        missing = np.array([unknown(columns[name]) for name in self.widening], dtype=bool)
        return usual & missing.reshape(usual.shape[::-1]).T

    @cached_property
    def _usual(self) -> tuple[dict[str, int], np.ndarray]:
        """The number of each type, and types × attributes: what is usually told; the last row is any other type's."""
        told = [[name in names for name in self.widening] for names in [*self.told.values(), ()]]
        numbers = {kind: number for number, kind in enumerate(self.told)}
        return numbers, np.array(told, dtype=bool).reshape(len(told), len(self.widening))

    def of(self, columns: Columns) -> np.ndarray:
        """How many times as wide each home's interval is: the product of the factors of what it lacks."""
        return np.where(self.lacking(columns), list(self.widening.values()), 1.0).prod(axis=1)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"told": {kind: list(names) for kind, names in self.told.items()}, "widening": dict(self.widening)}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Gaps:
        """The gaps that `to_json` wrote."""
        return cls({kind: tuple(names) for kind, names in written["told"].items()}, written["widening"])


def unknown(values: np.ndarray) -> np.ndarray:
    """Where an attribute is not told: NaN among numbers, None among texts."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    return np.array([value is None for value in values.tolist()], dtype=bool)
