"""Contributions of inputs to a value, in money: a baseline plus all contributions equals the value.

A model's contributions (TreeSHAP: Lundberg et al., From local explanations to global understanding with explainable AI
for trees, 2020) add up in the log of the value. They are converted to money by the logarithmic mean, as in the index
decomposition LMDI-I (Ang, The LMDI approach to decomposition analysis, Energy Policy 33, 2005): an amount is the
contribution times L(value, baseline) = (value − baseline) / (ln value − ln baseline). These amounts add up, depend on
no order, and are symmetric in gains and losses.

The baseline is an average property of the city: of the typical area (the geometric mean of the training sales), with
the model's mean for everything else, at the city's level known before the month of the valuation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from homei.features.columns import MARKET_LEVEL
from homei.training.encoding import Columns, Encoder
from homei.training.estimators import Estimator

# Feature names for readers, by patterns of inputs; the first match counts, other inputs keep their own name.
FEATURES = {
    "comparables": ("comparable_*",),
    "area": ("square_meters", "log_area"),
    "rooms": ("bedrooms", "bathrooms"),
    "type": ("property_type",),
    "age": ("age", "year_built"),
    "time": ("month", "season", "market_change_*"),
    "previous_sale": ("previous_*",),
    "place": ("latitude", "longitude", "location", "location_*", "fine_*", "coarse_*", "*_distance", "*_count"),
}
TOLERANCE = 1e-6  # relative difference between the sum of contributions and the prediction


class MoneyContributions(NamedTuple):
    """The baseline of each property and its amounts (properties × names), to the cent."""

    baseline: np.ndarray
    amounts: np.ndarray


@dataclass(frozen=True)
class Contributions:
    """Log contributions: the baseline of each property, and the effects of `names` (properties × names)."""

    names: tuple[str, ...]
    baseline: np.ndarray
    effects: np.ndarray

    def by_feature(self) -> Contributions:
        """The same with the inputs of each feature of FEATURES summed."""
        features = [feature_of(name) for name in self.names]
        names = tuple(dict.fromkeys(features))
        sums = [self.effects[:, [feature == name for feature in features]].sum(axis=1) for name in names]
        return Contributions(names, self.baseline, np.column_stack(sums))

    def in_money(self, value: np.ndarray) -> MoneyContributions:
        """Amounts that together with the baseline equal `value` exactly.

        The largest amount absorbs the rounding difference of a few cents. Raises ArithmeticError for a larger
        difference: the contributions then belong to other values.
        """
        total_effect = self.effects.sum(axis=1)
        baseline = np.exp(self.baseline)
        # (e^x − 1) / x, which is 1 for x = 0.
        ratio = np.divide(np.expm1(total_effect), total_effect, out=np.ones_like(total_effect), where=total_effect != 0)
        mean = baseline * ratio
        cents, value_cents, baseline_cents = (
            np.rint(100 * money) for money in (self.effects * mean[:, None], value, baseline)
        )
        rest = value_cents - baseline_cents - cents.sum(axis=1)
        if (np.abs(rest) > len(self.names) + 1 + TOLERANCE * value_cents).any():
            raise ArithmeticError("the contributions do not add up to the value")
        cents[np.arange(len(cents)), np.abs(cents).argmax(axis=1)] += rest
        return MoneyContributions(baseline_cents / 100, cents / 100)

    def mean_effect(self) -> np.ndarray:
        """The mean absolute effect of each of `names`, as a share of the value."""
        return np.abs(np.expm1(self.effects)).mean(axis=0)


def explain(encoder: Encoder, estimator: Estimator, columns: Columns, typical_area: float) -> Contributions:
    """The contribution of each input to the values of properties.

    Raises estimators.UnexplainedError for an estimator without contributions.
    """
    contributions = estimator.contributions(encoder.matrix(columns))
    effects, mean = contributions[:, :-1].copy(), contributions[:, -1]
    area = columns["square_meters"]
    size = np.where(np.isnan(area), encoder.log_size(columns) - np.log(typical_area), np.log(area / typical_area))
    effects[:, encoder.names.index("log_area")] += size
    return Contributions(tuple(encoder.names), mean + np.log(typical_area) + columns[MARKET_LEVEL], effects)


def feature_of(name: str) -> str:
    """The feature of FEATURES that an input belongs to."""
    matches = (feature for feature, globs in FEATURES.items() if any(fnmatchcase(name, glob) for glob in globs))
    return next(matches, name)


def sorted_by_size(names: Sequence[str], amounts: Sequence[float]) -> list[tuple[str, float]]:
    """Names with their amounts, the largest absolute amount first, then by name."""
    return sorted(zip(names, amounts, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
