"""Applicability of a model: flags, wider intervals and refusals outside its training data.

Without similar sales there is insufficient market evidence for a valuation. A location or type is known from its first
market sale, also if none of its sales is a training sale, as in the months of warm-up. The model values such a property
like one of an unseen category, and the flag `thin_evidence` says so. The consequences of each flag are configured in
section `applicability` of params.yaml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homei.training.config import FLAGS, ApplicabilityConfig
from homei.training.encoding import Columns, Encoder
from homei.training.intervals import IntervalModel, OutOfTimeSales, group_widening


@dataclass(frozen=True)
class Applicability:
    """The known locations and types, the usual areas, and the consequences outside them.

    Locations and types have their numbers of training sales.
    """

    locations: Mapping[str, int]
    types: Mapping[str, int]
    areas: Mapping[str, tuple[float, float]]  # usual range in m² by property type
    config: ApplicabilityConfig
    has_coordinates: bool = True  # otherwise sales in another location are no comparables

    @classmethod
    def fit(cls, training: Columns, market: Columns, config: ApplicabilityConfig) -> Applicability:
        """The applicability of a model of the `training` sales, a part of the `market` sales before a date.

        Usual areas are those of a type's training sales, without `config.area_tail` at either end; a type with fewer
        than `config.min_sales` of them has none.
        """
        types, areas = training["property_type"], training["square_meters"]
        tails = [config.area_tail, 1 - config.area_tail]
        areas_by_type = {name: areas[(types == name) & np.isfinite(areas)] for name in _training_sales(types, types)}
        usual = {
            name: _quantiles(known, tails) for name, known in areas_by_type.items() if len(known) >= config.min_sales
        }
        has_coordinates = bool(np.isfinite(training["latitude"]).any())
        known = (_training_sales(training[name], market[name]) for name in ("location", "property_type"))
        return cls(*known, usual, config, has_coordinates)

    def flags(self, columns: Columns) -> np.ndarray:
        """properties × FLAGS: True if a property is outside the training data in that respect."""
        locations, types = columns["location"].tolist(), columns["property_type"].tolist()
        any_area = (0.0, np.inf)
        usual = np.array([self.areas.get(name, any_area) for name in types]).reshape(-1, 2)
        areas = columns["square_meters"]
        is_elsewhere = np.array([name is not None and name not in self.locations for name in locations], dtype=bool)
        enough = self.config.min_sales
        is_thin = [
            self.locations.get(location, enough) < enough or self.types.get(kind, 0) < enough
            for location, kind in zip(locations, types, strict=True)
        ]
        masks = {
            "unknown_location": is_elsewhere,
            "unusual_area": (areas < usual[:, 0]) | (areas > usual[:, 1]),
            "no_comparable": np.isnan(columns["comparable_distance"]) | (is_elsewhere & (not self.has_coordinates)),
            "unlike_any_sale": columns["alike_distance"] > self.config.alike_distance,
            "thin_evidence": np.array(is_thin, dtype=bool),
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
            "locations": dict(self.locations),
            "types": dict(self.types),
            "areas": areas,
            "has_coordinates": self.has_coordinates,
            "policy": self.config.model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Applicability:
        areas = {name: (low, high) for name, (low, high) in content["areas"].items()}
        config = ApplicabilityConfig.model_validate({**content["policy"], "refuse": list(content["policy"]["refuse"])})
        return cls(content["locations"], content["types"], areas, config, content["has_coordinates"])


def _quantiles(areas: np.ndarray, tails: list[float]) -> tuple[float, float]:
    low, high = np.quantile(areas, tails)
    return round(float(low), 2), round(float(high), 2)


def _training_sales(training: np.ndarray, market: np.ndarray) -> dict[str, int]:
    """The number of training sales of each value among the market sales, in order of value."""
    counts = Counter(training.tolist())
    return {value: counts[value] for value in sorted({*market.tolist()} - {None})}
