"""Stage `train`: the valuation model on all sales, its twin on those before the hold-out, and their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei import config, lake
from homei.config import Features, Intervals, Model, Split, Train
from homei.features.columns import month_of
from homei.model.intervals import OutOfTime, calibrate
from homei.model.preprocess import columns_of, target
from homei.model.recipe import Recipe, before_and_held
from homei.model.scope import Scope
from homei.model.split import rolling_origins
from homei.model.tune import BEST
from homei.model.valuation import Fitted, Valuation
from homei.source import Source

VALUATION = Path("models/valuation")
HOLDOUT = Path("models/holdout")


class TrainError(ValueError):
    """A tuning result that doesn't belong to the model: the message says what to run."""


@dataclass(frozen=True)
class Trained:
    """What a training gives: the model in use, its twin before the hold-out, and the table PREDICTIONS."""

    valuation: Valuation
    holdout: Valuation
    predictions: pd.DataFrame

    def importances(self, sales: pd.DataFrame) -> pd.DataFrame:
        """input and share (of what the model explains), the most important first."""
        fitted, columns = self.valuation.fitted, columns_of(sales)
        shares = fitted.estimator.importances(fitted.encoder.matrix(columns), target(columns))
        found = pd.DataFrame({"input": fitted.encoder.names, "share": shares})
        return found.sort_values(["share", "input"], ascending=[False, True], ignore_index=True)


def run(
    seed: int,
    source: Source,
    features: Features,
    split: Split,
    model: Model,
    train: Train,
    intervals: Intervals,
    scope: config.Scope,
) -> Trained:
    """Trains by the tuned recipe and writes both models and the predictions."""
    sales = lake.read(lake.READY)
    recipe = Recipe.of(seed, source, features, model, train).with_parameters(**tuned(model))
    trained = fit(sales, recipe, source, split, intervals, scope, lake.digest(lake.READY)[:12], train.workers)
    lake.write(trained.predictions, lake.PREDICTIONS)
    return Trained(trained.valuation.save(VALUATION), trained.holdout.save(HOLDOUT), trained.predictions)


def tuned(model: Model, best: Path = BEST) -> dict[str, Any]:
    """The parameters that the stage `tune` found for this model; raises TrainError where it tuned another."""
    found = lake.read_json(best)
    if found["name"] != model.name:
        raise TrainError(f"{best} is of {found['name']}, not of {model.name}: run `dvc repro tune`")
    return found["parameters"]


def fit(
    sales: pd.DataFrame,
    recipe: Recipe,
    source: Source,
    split: Split,
    intervals: Intervals,
    scope: config.Scope,
    data_version: str,
    workers: int = 1,
) -> Trained:
    """Both models and all out-of-time predictions from the table READY; `workers` models are learnt at a time.

    The intervals of the hold-out's model are calibrated on the folds before it; those of the model in use on the
    hold-out, too.
    """
    before, held = before_and_held(sales, month_of(source.as_of), split)
    steps = [*folds(before, intervals.folds, split.hold_out_months), (before, held)]
    everything = pd.concat([before, held])
    sides = [*(learnt for learnt, _ in steps), everything]
    with ThreadPoolExecutor(workers) as pool:
        bar = tqdm(pool.map(recipe.fit, sides), desc="models", total=len(sides), unit="model", disable=None)
        *fits, final = bar
        asked = [unseen for _, unseen in steps]
        parts = list(pool.map(lambda fitted, unseen: out_of_time(fitted, recipe.with_gaps(unseen)), fits, asked))
        rolling = list(pool.map(predictions, asked[:-1], fits[:-1]))

    def valuation(fitted: Fitted, known: Sequence[OutOfTime], learnt: pd.DataFrame) -> Valuation:
        spread = calibrate(known, fitted.encoder, recipe.attributes, intervals.level, recipe.seed)
        own = Scope.learn(columns_of(learnt), scope).measured(known, fitted.encoder, spread, intervals.level)
        return Valuation(fitted, spread, own, meta(fitted, learnt, source, intervals.level, data_version))

    holdout = valuation(fits[-1], parts[:-1], before)
    table = pd.concat([*rolling, valued(held, holdout)], ignore_index=True)
    return Trained(valuation(final, parts, everything), holdout, table)


def folds(before: pd.DataFrame, number: int, months: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """(all earlier sales, the fold's) for the last folds before the hold-out, earliest first.

    A fold is as long as the hold-out, or shorter where the sales don't go back that far.
    """
    end, span = before["month"].max() + 1, before["month"].max() + 1 - before["month"].min()
    length = max(1, min(months, span // (number + 1)))
    masks = rolling_origins(before["month"].to_numpy(), end, number, length)
    return [(before[learnt], before[asked]) for learnt, asked in masks]


def out_of_time(fitted: Fitted, asked: pd.DataFrame) -> OutOfTime:
    """Sales that the model had not seen, and by how much their log price exceeds its value."""
    columns = columns_of(asked)
    return OutOfTime(columns, np.log(columns["price"]) - fitted.logs(columns))


def predictions(asked: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """Rows of PREDICTIONS for a rolling origin; without intervals, since its residuals are what calibrates them."""
    rows = asked[["transaction_id", "month", "price"]].assign(predicted=fitted.prices(columns_of(asked)))
    return rows.assign(low=np.nan, high=np.nan, deviation=np.nan, part="rolling_origin")


def valued(held: pd.DataFrame, model: Valuation) -> pd.DataFrame:
    """Rows of PREDICTIONS for the hold-out, by the model that has not seen it."""
    values = model.value(columns_of(held))
    rows = held[["transaction_id", "month", "price"]].assign(predicted=values.price)
    return rows.assign(low=values.low, high=values.high, deviation=values.deviation, part="hold_out")


def meta(fitted: Fitted, learnt: pd.DataFrame, source: Source, level: float, data_version: str) -> dict[str, Any]:
    """What a valuation tells of itself: of which data, of when, on which inputs."""
    return {
        "name": source.name,
        "currency": source.currency,
        "as_of": source.as_of.isoformat(),
        "level": level,
        "numeric": list(fitted.encoder.numeric),
        "categorical": list(fitted.encoder.categories),
        "categories": {name: list(values) for name, values in fitted.encoder.categories.items()},
        "data_version": data_version,
        "trained_on": len(learnt),
        "typical_area": round(float(np.exp(np.log(learnt["square_meters"]).mean())), 2),
        "months": [int(learnt["month"].min()), int(learnt["month"].max())],
    }
