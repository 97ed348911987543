"""Stage `train`: trains the model in use, the hold-out model, and the out-of-time predictions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei.config.city import CityConfig
from homei.features.columns import month_of
from homei.features.config import FeaturesConfig
from homei.storage import lake
from homei.training.applicability import Applicability
from homei.training.config import ApplicabilityConfig, IntervalsConfig, ModelConfig, SplitConfig, TrainConfig
from homei.training.encoding import columns_of, target
from homei.training.intervals import OutOfTimeSales, calibrate
from homei.training.time_splits import rolling_origins
from homei.training.training_recipe import Recipe, split_holdout
from homei.training.tune import BEST
from homei.training.valuation_model import FittedModel, ValuationModel

VALUATION = Path("models/valuation")
HOLDOUT = Path("models/holdout")


class TrainError(ValueError):
    """A tuning result of another model: the message says what to run."""


@dataclass(frozen=True)
class TrainingResult:
    """The model in use, the model trained before the hold-out, and the table PREDICTIONS."""

    valuation: ValuationModel
    holdout: ValuationModel
    predictions: pd.DataFrame


def run(
    seed: int,
    city: CityConfig,
    features: FeaturesConfig,
    split: SplitConfig,
    model: ModelConfig,
    train: TrainConfig,
    intervals: IntervalsConfig,
    applicability: ApplicabilityConfig,
) -> TrainingResult:
    """Trains with the tuned parameters, and writes both models and the predictions."""
    sales = lake.read(lake.TRAINING_SET)
    recipe = Recipe.from_config(seed, city, features, model, train).with_parameters(**tuned_parameters(model))
    data_version = lake.digest(lake.TRAINING_SET)[:12]
    result = train_models(sales, recipe, city, split, intervals, applicability, data_version, train.workers)
    lake.write(result.predictions, lake.PREDICTIONS)
    return TrainingResult(result.valuation.save(VALUATION), result.holdout.save(HOLDOUT), result.predictions)


def tuned_parameters(model: ModelConfig, best_path: Path = BEST) -> dict[str, Any]:
    """The parameters from the stage `tune`; raises TrainError if they are of another model."""
    best = lake.read_json(best_path)
    if best["name"] != model.name:
        raise TrainError(f"{best_path} is of {best['name']}, not of {model.name}: run `dvc repro tune`")
    return best["parameters"]


def train_models(
    sales: pd.DataFrame,
    recipe: Recipe,
    city: CityConfig,
    split: SplitConfig,
    intervals: IntervalsConfig,
    applicability: ApplicabilityConfig,
    data_version: str,
    workers: int = 1,
) -> TrainingResult:
    """Both models and all out-of-time predictions; trains `workers` models in parallel.

    The hold-out model's intervals are calibrated on the folds before the hold-out, those of the model in use on these
    folds and the hold-out.
    """
    before, holdout = split_holdout(sales, month_of(city.as_of), split)
    folds = [*rolling_folds(before, intervals.folds, split.hold_out_months), (before, holdout)]
    tests = [test for _, test in folds]
    everything = pd.concat([before, holdout])
    training_sets = [*(training for training, _ in folds), everything]
    with ThreadPoolExecutor(workers) as pool:
        fits = pool.map(recipe.fit, training_sets)
        *fold_models, final = tqdm(fits, desc="models", total=len(training_sets), unit="model", disable=None)
        masked_tests = pool.map(recipe.with_masked_copies, tests)
        parts = list(pool.map(out_of_time_sales, fold_models, masked_tests))
        rolling = list(pool.map(rolling_predictions, tests[:-1], fold_models[:-1]))

    def complete(fitted: FittedModel, calibration: Sequence[OutOfTimeSales], training: pd.DataFrame) -> ValuationModel:
        interval_model = calibrate(calibration, fitted.encoder, recipe.attributes, intervals.level, recipe.seed)
        limits = Applicability.fit(columns_of(training), applicability)
        limits = limits.calibrated(calibration, fitted.encoder, interval_model, intervals.level)
        meta = model_metadata(fitted, training, city, intervals.level, data_version)
        return ValuationModel(fitted, interval_model, limits, meta)

    holdout_model = complete(fold_models[-1], parts[:-1], before)
    table = pd.concat([*rolling, holdout_predictions(holdout, holdout_model)], ignore_index=True)
    return TrainingResult(complete(final, parts, everything), holdout_model, table)


def rolling_folds(before: pd.DataFrame, folds: int, months: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """(training, test) sales of the last folds before the hold-out, earliest first.

    A fold is `months` long like the hold-out, or shorter if the sales do not go back far enough.
    """
    end, span = before["month"].max() + 1, before["month"].max() + 1 - before["month"].min()
    length = max(1, min(months, span // (folds + 1)))
    masks = rolling_origins(before["month"].to_numpy(), end, folds, length)
    return [(before[is_training], before[is_test]) for is_training, is_test in masks]


def out_of_time_sales(fitted: FittedModel, test: pd.DataFrame) -> OutOfTimeSales:
    """The columns of sales unseen by the model, and their log prices minus log values."""
    columns = columns_of(test)
    return OutOfTimeSales(columns, np.log(columns["price"]) - fitted.log_values(columns))


def rolling_predictions(test: pd.DataFrame, fitted: FittedModel) -> pd.DataFrame:
    """Rows of PREDICTIONS for a fold, without intervals, which are calibrated on its residuals."""
    rows = test[["transaction_id", "month", "price"]].assign(predicted=fitted.prices(columns_of(test)))
    return rows.assign(low=np.nan, high=np.nan, deviation=np.nan, part="rolling_origin")


def holdout_predictions(holdout: pd.DataFrame, model: ValuationModel) -> pd.DataFrame:
    """Rows of PREDICTIONS for the hold-out, by the model trained before it."""
    values = model.value(columns_of(holdout))
    rows = holdout[["transaction_id", "month", "price"]].assign(predicted=values.price)
    return rows.assign(low=values.low, high=values.high, deviation=values.deviation, part="hold_out")


def importances(model: ValuationModel, sales: pd.DataFrame) -> pd.DataFrame:
    """input and share (of the variance explained), the most important first."""
    fitted, columns = model.fitted, columns_of(sales)
    shares = fitted.estimator.importances(fitted.encoder.matrix(columns), target(columns))
    table = pd.DataFrame({"input": fitted.encoder.names, "share": shares})
    return table.sort_values(["share", "input"], ascending=[False, True], ignore_index=True)


def model_metadata(
    fitted: FittedModel, training: pd.DataFrame, city: CityConfig, level: float, data_version: str
) -> dict[str, Any]:
    """The description of a model in meta.json: city, date, data, inputs."""
    return {
        "name": city.name,
        "currency": city.currency,
        "as_of": city.as_of.isoformat(),
        "level": level,
        "numeric": list(fitted.encoder.numeric),
        "categorical": list(fitted.encoder.categories),
        "categories": {name: list(values) for name, values in fitted.encoder.categories.items()},
        "data_version": data_version,
        "trained_on": len(training),
        "typical_area": round(float(np.exp(np.log(training["square_meters"]).mean())), 2),
        "months": [int(training["month"].min()), int(training["month"].max())],
    }
