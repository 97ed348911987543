"""How a model is made from sales: its inputs, its target, the weight of old sales, its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from homei.config import Features, Incomplete, Model, Split, Train
from homei.features.columns import MARKET_LEVEL, categorical_inputs, numeric_inputs, optional_columns
from homei.model.estimators import Parameters, create
from homei.model.incomplete import incomplete
from homei.model.preprocess import Encoder, columns_of, target
from homei.model.split import hold_out
from homei.model.valuation import Fitted
from homei.source import Source


@dataclass(frozen=True)
class Recipe:
    """All that makes a model, but the sales."""

    name: str
    parameters: Parameters
    known: tuple[str, ...]  # all numeric features
    numeric: tuple[str, ...]  # those of them that are inputs
    categorical: tuple[str, ...]
    optional: tuple[tuple[str, ...], ...]  # columns that are unknown together
    half_life_months: float
    incomplete: Incomplete
    seed: int

    @classmethod
    def of(cls, seed: int, source: Source, features: Features, model: Model, train: Train) -> Recipe:
        """The recipe that the sections of params.yaml describe, with the model's own parameters."""
        known = tuple(numeric_inputs(source, features))
        return cls(
            name=model.name,
            parameters=dict(model.parameters),
            known=known,
            numeric=tuple(name for name in known if not any(fnmatchcase(name, glob) for glob in train.left_out)),
            categorical=tuple(categorical_inputs(source)),
            optional=tuple(map(tuple, optional_columns(source, features))),
            half_life_months=train.half_life_months,
            incomplete=train.incomplete,
            seed=seed,
        )

    @property
    def attributes(self) -> tuple[str, ...]:
        """What is told of a home and may be left out: the first of each group of columns that are unknown together."""
        inputs = {*self.numeric, *self.categorical, "year_built"}
        return tuple(group[0] for group in self.optional if group[0] in inputs)

    def with_parameters(self, **parameters: float | str | bool) -> Recipe:
        return replace(self, parameters={**self.parameters, **parameters})

    def linear(self) -> Recipe:
        """A ridge regression on all features: what a model must beat to be worth its opacity.

        Without the local history it could not tell one street from the next: 5.7 % instead of 5.3 % on the demo city.
        """
        complete = self.incomplete.model_copy(update={"share": 0.0})
        return replace(self, name="linear", parameters={"alpha": 1.0}, numeric=self.known, incomplete=complete)

    def fit(self, sales: pd.DataFrame) -> Fitted:
        """The model learnt from `sales` (of the table READY), each weighted by its age, and from copies with gaps."""
        encoder = Encoder.learn(columns_of(sales), self.numeric, self.categorical)
        columns = columns_of(self.with_gaps(sales))
        weight = self.weight(columns["month"])
        weight[len(sales) :] *= self.incomplete.weight
        estimator = create(self.name, self.parameters, encoder, self.seed)
        estimator.fit(encoder.matrix(columns), target(columns), weight)
        return Fitted(encoder, estimator)

    def with_gaps(self, sales: pd.DataFrame) -> pd.DataFrame:
        """The sales, and below them copies of some of them with attributes left out."""
        copies = incomplete(sales, self.optional, self.incomplete.share, self.seed)
        return pd.concat([sales, copies], ignore_index=True)

    def weight(self, months: np.ndarray) -> np.ndarray:
        """1 for the last month's sales, half as much `half_life_months` before: the market's tastes change."""
        return 0.5 ** ((months.max() - months) / self.half_life_months)

    def prices(self, learnt: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
        """The values of the sales `asked`, by a model that learnt from `learnt`."""
        return self.fit(learnt).prices(columns_of(asked))


def learnable(sales: pd.DataFrame, split: Split) -> pd.DataFrame:
    """The sales of which the market before is known, and whose month is not one of the warm-up's."""
    months = sales["month"]
    return sales[sales[MARKET_LEVEL].notna() & (months >= months.min() + split.warm_up_months)]


def untested(sales: pd.DataFrame, as_of_month: int, split: Split) -> pd.DataFrame:
    """The learnable sales before every month that anything is measured on: those that choices may be made by."""
    known = learnable(sales, split)
    return known[known["month"] <= as_of_month - max(split.tested_months, split.hold_out_months)]


def before_and_held(sales: pd.DataFrame, as_of_month: int, split: Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The learnable sales before the hold-out, and those of the hold-out."""
    known = learnable(sales, split)
    before, held = hold_out(known["month"].to_numpy(), as_of_month, split)
    return known[before], known[held]
