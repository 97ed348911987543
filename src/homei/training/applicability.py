"""Applicability of a model: flags, wider intervals and refusals outside its training data.

Without similar sales there is insufficient market evidence for a valuation. The consequences of each flag are
configured in section `applicability` of params.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homei.training.config import FLAGS, ApplicabilityConfig
from homei.training.encoding import Columns, Encoder
from homei.training.intervals import IntervalModel, OutOfTimeSales, group_widening


@dataclass(frozen=True)
class Applicability:
    """The locations and usual areas of the training sales, and the consequences of being outside them."""

    locations: frozenset[str]
    areas: Mapping[str, tuple[float, float]]  # usual range in m² by property type
    config: ApplicabilityConfig
    has_coordinates: bool = True  # otherwise sales in another location are no comparables

    @classmethod
    def fit(cls, columns: Columns, config: ApplicabilityConfig) -> Applicability:
        """Locations and usual areas of the training sales, without `config.area_tail` at either end."""
        types, areas = columns["property_type"], columns["square_meters"]
        tails = [config.area_tail, 1 - config.area_tail]
        areas_by_type = {name: areas[(types == name) & np.isfinite(areas)] for name in _distinct(types)}
        usual = {name: _quantiles(known, tails) for name, known in areas_by_type.items() if len(known)}
        has_coordinates = bool(np.isfinite(columns["latitude"]).any())
        return cls(frozenset(_distinct(columns["location"])), usual, config, has_coordinates)

    def flags(self, columns: Columns) -> np.ndarray:
        """properties × FLAGS: True if a property is outside the training data in that respect."""
        any_area = (0.0, np.inf)
        usual = np.array([self.areas.get(name, any_area) for name in columns["property_type"].tolist()]).reshape(-1, 2)
        areas = columns["square_meters"]
        locations = columns["location"].tolist()
        is_elsewhere = np.array([name is not None and name not in self.locations for name in locations], dtype=bool)
        masks = {
            "unknown_location": is_elsewhere,
            "unusual_area": (areas < usual[:, 0]) | (areas > usual[:, 1]),
            "no_comparable": np.isnan(columns["comparable_distance"]) | (is_elsewhere & (not self.has_coordinates)),
            "unlike_any_sale": columns["alike_distance"] > self.config.alike_distance,
        }
        return np.column_stack([masks[name] for name in FLAGS])

    def calibrated(
        self, parts: Sequence[OutOfTimeSales], encoder: Encoder, intervals: IntervalModel, level: float
    ) -> Applicability:
        """The same with interval factors measured on out-of-time sales, for each flag with enough sales.

        The factor is the conformal multiplier that the flag's sales need ÷ that of all sales. Where flagged sales are
        common, as in a city where some properties never have comparables, the intervals account for them already and
        the factor is near 1. The configured factor applies to flags without sales.
        """
        flags = np.concatenate([self.flags(part.columns) for part in parts])
        scores = [
            np.abs(part.residuals) / intervals.spread(part.columns, encoder.matrix(part.columns)) for part in parts
        ]
        groups, start = dict(zip(FLAGS, flags.T, strict=True)), dict.fromkeys(FLAGS, 1.0) | self.config.widen
        widen = group_widening(np.concatenate(scores), groups, start, level, intervals.conformal_multiplier)
        return replace(self, config=self.config.model_copy(update={"widen": widen}))

    def factor(self, flags: np.ndarray) -> np.ndarray:
        """The factor on each property's interval for its flags; 1 without any."""
        return np.where(flags, [self.config.widen.get(name, 1.0) for name in FLAGS], 1.0).prod(axis=1)

    def is_refused(self, flags: np.ndarray) -> np.ndarray:
        """Whether a property has all flags of one of the configured refusals."""
        refused = np.zeros(len(flags), dtype=bool)
        for refusal in self.config.refuse:
            refused |= flags[:, [name in refusal for name in FLAGS]].all(axis=1)
        return refused

    def to_json(self) -> dict[str, Any]:
        areas = {name: list(ends) for name, ends in self.areas.items()}
        return {
            "locations": sorted(self.locations),
            "areas": areas,
            "has_coordinates": self.has_coordinates,
            "policy": self.config.model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Applicability:
        areas = {name: (low, high) for name, (low, high) in content["areas"].items()}
        config = ApplicabilityConfig.model_validate({**content["policy"], "refuse": list(content["policy"]["refuse"])})
        return cls(frozenset(content["locations"]), areas, config, content["has_coordinates"])


def _quantiles(areas: np.ndarray, tails: list[float]) -> tuple[float, float]:
    low, high = np.quantile(areas, tails)
    return round(float(low), 2), round(float(high), 2)


def _distinct(values: np.ndarray) -> list[str]:
    return sorted({value for value in values.tolist() if value is not None})
