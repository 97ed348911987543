"""How a model is made from sales: its inputs, its target, the weight of old sales, its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from homei.config import Features, Model, Source, Split, Train
from homei.features.columns import MARKET_LEVEL, categorical_inputs, numeric_inputs
from homei.model.estimators import Parameters, create
from homei.model.preprocess import Encoder, columns_of, target
from homei.model.split import hold_out
from homei.model.valuation import Fitted


@dataclass(frozen=True)
class Recipe:
    """All that makes a model, but the sales."""

    name: str
    parameters: Parameters
    known: tuple[str, ...]  # all numeric features
    numeric: tuple[str, ...]  # those of them that are inputs
    categorical: tuple[str, ...]
    half_life_months: float
    seed: int

    @classmethod
    def of(cls, seed: int, source: Source, features: Features, model: Model, train: Train) -> Recipe:
        """The recipe that the sections of params.yaml describe, with the model's own parameters."""
        known = tuple(numeric_inputs(source, features))
        numeric = [name for name in known if not any(fnmatchcase(name, left_out) for left_out in train.left_out)]
        categorical = tuple(categorical_inputs(source))
        parameters = dict(model.parameters)
        return cls(model.name, parameters, known, tuple(numeric), categorical, train.half_life_months, seed)

    def with_parameters(self, **parameters: float | str | bool) -> Recipe:
        return replace(self, parameters={**self.parameters, **parameters})

    def linear(self) -> Recipe:
        """A ridge regression on all features: what a model must beat to be worth its opacity.

        Without the local history it could not tell one street from the next: 5.7 % instead of 5.3 % on the demo city.
        """
        return replace(self, name="linear", numeric=self.known, parameters={"alpha": 1.0})

    def fit(self, sales: pd.DataFrame) -> Fitted:
        """The model learnt from `sales` (of the table READY), each weighted by its age."""
        columns = columns_of(sales)
        encoder = Encoder.learn(columns, self.numeric, self.categorical)
        estimator = create(self.name, self.parameters, encoder, self.seed)
        estimator.fit(encoder.matrix(columns), target(columns), self.weight(columns["month"]))
        return Fitted(encoder, estimator)

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


def before_and_held(sales: pd.DataFrame, as_of_month: int, split: Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The learnable sales before the hold-out, and those of the hold-out."""
    known = learnable(sales, split)
    before, held = hold_out(known["month"].to_numpy(), as_of_month, split)
    return known[before], known[held]
