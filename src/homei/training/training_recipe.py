"""Training recipe: inputs, target, weights of sales, masking and parameters of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import SimpleNamespace

import numpy as np
import pandas as pd

from homei.features.columns import MARKET_LEVEL, categorical_inputs, numeric_inputs, optional_columns
from homei.training.attribute_masking import masked_copies
from homei.training.config import MaskingConfig
from homei.training.encoding import Encoder, columns_of
from homei.training.estimators import Parameters, create
from homei.training.valuation_model import FittedModel

# Besides inputs: identity, target, derived inputs and the columns of `Applicability`.
REQUIRED_COLUMNS = (
    "transaction_id",
    "month",
    "price",
    "square_meters",
    "year_built",
    "property_type",
    "location",
    MARKET_LEVEL,
    "comparable_distance",
    "alike_distance",
)


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a model except its training sales."""

    name: str
    parameters: Parameters
    all_numeric: tuple[str, ...]  # all numeric features
    numeric: tuple[str, ...]  # the numeric inputs among them
    categorical: tuple[str, ...]
    optional: tuple[tuple[str, ...], ...]  # groups of columns that are unknown together
    half_life_months: float
    masking: MaskingConfig
    seed: int
    threads: int = 1  # of one LightGBM model; another number changes the last digits of leaves

    @classmethod
    def from_config(cls, p: SimpleNamespace) -> Recipe:
        """The recipe of the sections seed, city, features, model and train, with the configured parameters."""
        names, excluded = tuple(numeric_inputs(p.city, p.features)), p.train.excluded_features
        return cls(
            name=p.model.name,
            parameters=dict(p.model.parameters),
            all_numeric=names,
            numeric=tuple(name for name in names if not any(fnmatchcase(name, glob) for glob in excluded)),
            categorical=tuple(categorical_inputs(p.city)),
            optional=tuple(map(tuple, optional_columns(p.city, p.features))),
            half_life_months=p.train.half_life_months,
            masking=p.train.attribute_masking,
            seed=p.seed,
            threads=p.train.threads,
        )

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that a request may leave out: the first of each group of optional columns."""
        inputs = {*self.numeric, *self.categorical, "year_built"}
        return tuple(group[0] for group in self.optional if group[0] in inputs)

    @property
    def columns(self) -> list[str]:
        """The columns of the training set that models, intervals and applicability need, about half of them."""
        return sorted({*REQUIRED_COLUMNS, *self.numeric, *self.categorical})

    def with_parameters(self, **parameters: float | str | bool) -> Recipe:
        return replace(self, parameters={**self.parameters, **parameters})

    def without_masking(self) -> MaskingConfig:
        return self.masking.model_copy(update={"share": 0.0})

    def linear(self) -> Recipe:
        """The recipe of the linear baseline: a ridge regression on all features.

        It needs the local market history to distinguish streets: without it, its error on the demo city is 5.7 %
        instead of 5.3 %.
        """
        return replace(
            self, name="linear", parameters={"alpha": 1.0}, numeric=self.all_numeric, masking=self.without_masking()
        )

    def fit(self, sales: pd.DataFrame) -> FittedModel:
        """The model trained on sales of the training set, weighted by age, and on their masked copies."""
        encoder = Encoder.fit(columns_of(sales), self.numeric, self.categorical)
        columns = columns_of(self.with_masked_copies(sales))
        weight = self.weight(columns["month"])
        weight[len(sales) :] *= self.masking.weight
        estimator = create(self.name, self.parameters, encoder, self.seed, self.threads)
        estimator.fit(encoder.matrix(columns), encoder.target(columns), weight)
        return FittedModel(encoder, estimator)

    def with_masked_copies(self, sales: pd.DataFrame) -> pd.DataFrame:
        """The sales, followed by copies of some of them with attributes removed."""
        copies = masked_copies(sales, self.optional, self.masking.share, self.seed)
        return pd.concat([sales, copies], ignore_index=True)

    def weight(self, months: np.ndarray) -> np.ndarray:
        """1 for sales of the last month, half as much `half_life_months` before, since preferences change."""
        return 0.5 ** ((months.max() - months) / self.half_life_months)

    def prices(self, training: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
        """Values of the `test` sales by a model trained on the `training` sales."""
        return self.fit(training).prices(columns_of(test))
