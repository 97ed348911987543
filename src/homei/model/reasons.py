"""Why a home is worth what it is: what each input adds, in money, so that a start and all amounts make the value.

A model's contributions (TreeSHAP: Lundberg et al., From local explanations to global understanding with explainable AI
for trees, 2020) add up in the log of the value. They become money by the logarithmic mean, as in the index
decomposition LMDI-I (Ang, The LMDI approach to decomposition analysis, Energy Policy 33, 2005): an amount is the
contribution times L(value, start) = (value − start) / (ln value − ln start). That adds up, depends on no order, and
treats a gain as it treats the same loss.

The start is an average home of the city: of the typical area (the geometric mean of those learnt from), with the
model's mean for everything else, at the city's level known before the month of the valuation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from homei.features.columns import MARKET_LEVEL
from homei.model.estimators import Estimator
from homei.model.preprocess import Columns, Encoder

# A reader's words for inputs, the first that fits; an input that none fits stands under its own name.
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
SLACK = 1e-6  # of a value, by which the model's own sum may differ from its prediction


class Amounts(NamedTuple):
    """In the currency, to the cent: the starts, one a home, and what is added, one row a home; together the values."""

    start: np.ndarray
    added: np.ndarray


@dataclass(frozen=True)
class Reasons:
    """The logs of the starts, one a home, and what each of `names` adds to them: one row a home, one column a name."""

    names: tuple[str, ...]
    start: np.ndarray
    added: np.ndarray

    def by_feature(self) -> Reasons:
        """The same in a reader's words: what inputs of one feature add is summed."""
        features = [feature_of(name) for name in self.names]
        names = tuple(dict.fromkeys(features))
        sums = [self.added[:, [feature == name for feature in features]].sum(axis=1) for name in names]
        return Reasons(names, self.start, np.column_stack(sums))

    def in_money(self, value: np.ndarray) -> Amounts:
        """Amounts that with their start add up to `value`, given to the cent, exactly.

        What rounding leaves, a few cents at most, goes to the largest amount. Raises ArithmeticError where more is
        left: then the reasons are not of these values.
        """
        growth = self.added.sum(axis=1)
        start = np.exp(self.start)
        # (e^g − 1) / g, which is 1 where nothing is added.
        mean = start * np.divide(np.expm1(growth), growth, out=np.ones_like(growth), where=growth != 0)
        cents, total, first = (np.rint(100 * money) for money in (self.added * mean[:, None], value, start))
        rest = total - first - cents.sum(axis=1)
        if (np.abs(rest) > len(self.names) + 1 + SLACK * total).any():
            raise ArithmeticError("what the inputs contribute does not add up to the value")
        cents[np.arange(len(cents)), np.abs(cents).argmax(axis=1)] += rest
        return Amounts(first / 100, cents / 100)

    def size(self) -> np.ndarray:
        """By what share of the value each of `names` moves it, up or down, on average."""
        return np.abs(np.expm1(self.added)).mean(axis=0)


def explain(encoder: Encoder, estimator: Estimator, columns: Columns, typical_area: float) -> Reasons:
    """The reasons of properties given as columns, input by input.

    Raises estimators.UnexplainedError where the kind of model tells no contributions.
    """
    told = estimator.contributions(encoder.matrix(columns))
    added, mean = told[:, :-1].copy(), told[:, -1]
    added[:, encoder.names.index("log_area")] += np.log(columns["square_meters"] / typical_area)
    return Reasons(tuple(encoder.names), mean + np.log(typical_area) + columns[MARKET_LEVEL], added)


def feature_of(name: str) -> str:
    """The reader's word for an input."""
    fits = (feature for feature, globs in FEATURES.items() if any(fnmatchcase(name, glob) for glob in globs))
    return next(fits, name)


def by_size(names: Sequence[str], added: Sequence[float]) -> list[tuple[str, float]]:
    """Names with their amounts, the largest first, whether up or down; equal ones by name."""
    return sorted(zip(names, added, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
