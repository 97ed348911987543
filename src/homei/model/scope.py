"""What a model knows: beyond it a valuation says so, is less sure, or is none.

A price for what nobody has sold anything like, where nobody has sold anything, would be an invention. What is done
about which flag is policy: section `scope` of params.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homei import config
from homei.config import FLAGS
from homei.model.intervals import OutOfTime, Spread, widening
from homei.model.preprocess import Columns, Encoder


@dataclass(frozen=True)
class Scope:
    """The locations that a model has seen, the areas usual for each type, and the policy beyond them."""

    locations: frozenset[str]
    areas: Mapping[str, tuple[float, float]]  # m², by property type
    policy: config.Scope

    @classmethod
    def learn(cls, columns: Columns, policy: config.Scope) -> Scope:
        """What the sales learnt from tell; of each type's areas all but `policy.area_tail` at either end is usual."""
        types, areas = columns["property_type"], columns["square_meters"]
        tails = [policy.area_tail, 1 - policy.area_tail]
        usual = {name: _ends(areas[types == name], tails) for name in _texts(types)}
        return cls(frozenset(_texts(columns["location"])), usual, policy)

    def flags(self, columns: Columns) -> np.ndarray:
        """homes × FLAGS: True where a home is beyond what the model knows in that respect."""
        anywhere = (0.0, np.inf)
        usual = np.array([self.areas.get(name, anywhere) for name in columns["property_type"].tolist()]).reshape(-1, 2)
        areas = columns["square_meters"]
        found = {
            "unknown_location": [
                name is not None and name not in self.locations for name in columns["location"].tolist()
            ],
            "unusual_area": (areas < usual[:, 0]) | (areas > usual[:, 1]),
            "no_comparable": np.isnan(columns["comparable_distance"]),
            "unlike_any_sale": columns["alike_distance"] > self.policy.alike_distance,
        }
        return np.column_stack([np.asarray(found[name], dtype=bool) for name in FLAGS])

    def measured(self, known: Sequence[OutOfTime], encoder: Encoder, spread: Spread, level: float) -> Scope:
        """The same with the factors that out-of-time sales show, for each flag that enough of them have.

        A flag's factor is the reach that its sales need, over that of all. A city where some homes never have a
        comparable has spreads that know it, and they need no more; the policy's factor is for what was never seen.
        """
        flags = np.concatenate([self.flags(part.columns) for part in known])
        sizes = [np.abs(part.residuals) / spread.of(part.columns, encoder.matrix(part.columns)) for part in known]
        raised, start = dict(zip(FLAGS, flags.T, strict=True)), dict.fromkeys(FLAGS, 1.0) | self.policy.widen
        seen = widening(np.concatenate(sizes), raised, start, level, spread.reach)
        return replace(self, policy=self.policy.model_copy(update={"widen": seen}))

    def widening(self, flags: np.ndarray) -> np.ndarray:
        """How many times as wide each home's interval is for its flags; 1 without any."""
        return np.where(flags, [self.policy.widen.get(name, 1.0) for name in FLAGS], 1.0).prod(axis=1)

    def refused(self, flags: np.ndarray) -> np.ndarray:
        """Whether a home has all flags of one of the policy's refusals: its price would be an invention."""
        refusals = [[name in refusal for name in FLAGS] for refusal in self.policy.refuse]
        refused = np.zeros(len(flags), dtype=bool)
        for together in refusals:
            refused |= flags[:, together].all(axis=1)
        return refused

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        areas = {name: list(ends) for name, ends in self.areas.items()}
        return {"locations": sorted(self.locations), "areas": areas, "policy": self.policy.model_dump(mode="json")}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Scope:
        """The scope that `to_json` wrote."""
        areas = {name: (low, high) for name, (low, high) in written["areas"].items()}
        policy = config.Scope.model_validate({**written["policy"], "refuse": list(written["policy"]["refuse"])})
        return cls(frozenset(written["locations"]), areas, policy)


def _ends(areas: np.ndarray, tails: list[float]) -> tuple[float, float]:
    low, high = np.quantile(areas, tails)
    return round(float(low), 2), round(float(high), 2)


def _texts(values: np.ndarray) -> list[str]:
    return sorted({value for value in values.tolist() if value is not None})
