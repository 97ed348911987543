"""Stage `train`: trains the model in use, the hold-out model, and the out-of-time predictions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei.storage import lake
from homei.training.applicability import Applicability
from homei.training.config import ApplicabilityConfig, ModelConfig
from homei.training.encoding import columns_of
from homei.training.intervals import IntervalModel, OutOfTimeSales, calibrate
from homei.training.learning_curve import CURVE, curve_row, learning_curve
from homei.training.time_splits import TimeSplit, rolling_origins, split_holdout
from homei.training.training_recipe import Recipe
from homei.training.tuning_gain import BEST
from homei.training.valuation_model import HOLDOUT, VALUATION, FittedModel, ValuationModel


class TrainError(ValueError):
    """A tuning result of another model: the message says what to run."""


@dataclass(frozen=True)
class TrainingResult:
    """The model in use, the model trained before the hold-out, and the table PREDICTIONS."""

    valuation: ValuationModel
    holdout: ValuationModel
    predictions: pd.DataFrame


def run(**sections: Any) -> TrainingResult:
    """Trains with the tuned parameters, and writes both models and the predictions."""
    p = SimpleNamespace(**sections)
    recipe = Recipe.from_config(p).with_parameters(**tuned_parameters(p.model))
    data_version = lake.version(lake.TRAINING_SET)[:12]
    sales = lake.read(lake.TRAINING_SET, recipe.columns)
    result = train_models(sales, recipe, p, data_version, p.train.workers)
    lake.write(result.predictions, lake.PREDICTIONS)
    curve = whole_learning_curve(sales, result, recipe, p)
    lake.write_text(curve.to_csv(index=False, lineterminator="\n"), CURVE)
    return TrainingResult(result.valuation.save(VALUATION), result.holdout.save(HOLDOUT), result.predictions)


def whole_learning_curve(
    sales: pd.DataFrame, result: TrainingResult, recipe: Recipe, p: SimpleNamespace
) -> pd.DataFrame:
    """The learning curve at `train.learning_curve_rows`; its last row is the hold-out model's errors."""
    before, holdout = split_holdout(sales, p.split)
    curve = learning_curve(before, holdout, p.train.learning_curve_rows, recipe, p.train.workers)
    own = result.predictions[result.predictions["part"] == "hold_out"]
    whole = curve_row(len(before), own["predicted"], own["price"])
    return pd.DataFrame([*curve.to_dict("records"), whole])


def tuned_parameters(model: ModelConfig, best_path: Path = BEST) -> dict[str, Any]:
    """The parameters from the stage `tune`; raises TrainError if they are of another model."""
    best = lake.read_json(best_path)
    if best["name"] != model.name:
        raise TrainError(f"{best_path} is of {best['name']}, not of {model.name}: run `dvc repro tune`")
    return best["parameters"]


def train_models(
    sales: pd.DataFrame, recipe: Recipe, p: SimpleNamespace, data_version: str, workers: int = 1
) -> TrainingResult:
    """Both models and all out-of-time predictions; `p` has city, split, intervals and applicability.

    The hold-out model's intervals are calibrated on the folds before the hold-out, those of the model in use on these
    folds and the hold-out. Trains `workers` models in parallel.
    """
    time_split = TimeSplit.plan(sales["month"], p.split)
    before, holdout = split_holdout(sales, p.split)
    masks = rolling_origins(before["month"].to_numpy(), p.intervals.folds, time_split.hold_out)
    folds = [*((before[is_training], before[is_test]) for is_training, is_test in masks), (before, holdout)]
    tests = [test for _, test in folds]
    everything = pd.concat([before, holdout])
    training_sets = [*(training for training, _ in folds), everything]
    with ThreadPoolExecutor(workers) as pool:
        fits = pool.map(recipe.fit, training_sets)
        *fold_models, final = tqdm(fits, desc="models", total=len(training_sets), unit="model", disable=None)
        masked_tests = pool.map(recipe.with_masked_copies, tests)
        parts = list(pool.map(out_of_time_sales, fold_models, masked_tests))
        rolling = list(pool.map(rolling_predictions, tests[:-1], fold_models[:-1]))
    common = {
        "name": p.city.name,
        "currency": p.city.currency,
        "as_of": p.city.as_of.isoformat(),
        "level": p.intervals.level,
        "data_version": data_version,
        "periods": time_split.record(intervals=p.intervals),
    }

    def complete(
        fitted: FittedModel, calibration: Sequence[OutOfTimeSales], training: pd.DataFrame, market: pd.DataFrame
    ) -> ValuationModel:
        limits = fit_applicability(training, market, p.applicability)
        interval_model, limits = calibrate_model(fitted, calibration, limits, recipe, p)
        return ValuationModel(fitted, interval_model, limits, {**common, **model_metadata(fitted, training)})

    sales_before = sales[sales["month"] < time_split.first_holdout]
    holdout_model = complete(fold_models[-1], parts[:-1], before, sales_before)
    table = pd.concat([*rolling, holdout_predictions(holdout, holdout_model)], ignore_index=True)
    return TrainingResult(complete(final, parts, everything, sales), holdout_model, table)


def fit_applicability(training: pd.DataFrame, market: pd.DataFrame, config: ApplicabilityConfig) -> Applicability:
    """The applicability of a model of `training`; all `market` sales before the valuations are known."""
    known = columns_of(market[["location", "property_type"]])
    return Applicability.fit(columns_of(training), known, config)


def calibrate_model(
    fitted: FittedModel,
    calibration: Sequence[OutOfTimeSales],
    limits: Applicability,
    recipe: Recipe,
    p: SimpleNamespace,
) -> tuple[IntervalModel, Applicability]:
    """The intervals and applicability of a model, with factors measured on out-of-time sales."""
    intervals = calibrate(calibration, fitted.encoder, recipe.attributes, p.intervals.level, recipe.seed)
    return intervals, limits.calibrated(calibration, fitted.encoder, intervals, p.intervals.level)


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
    shares = fitted.estimator.importances(fitted.encoder.matrix(columns), fitted.encoder.target(columns))
    table = pd.DataFrame({"input": fitted.encoder.names, "share": shares})
    return table.sort_values(["share", "input"], ascending=[False, True], ignore_index=True)


def typical_area(areas: pd.Series) -> float:
    """The geometric mean of the known areas; 1 without any."""
    return round(float(np.exp(np.log(areas).mean())), 2) if areas.notna().any() else 1.0


def model_metadata(fitted: FittedModel, training: pd.DataFrame) -> dict[str, Any]:
    """The inputs and training sales of a model, as in meta.json."""
    return {
        "numeric": list(fitted.encoder.numeric),
        "categorical": list(fitted.encoder.categories),
        "categories": {name: list(values) for name, values in fitted.encoder.categories.items()},
        "trained_on": len(training),
        "typical_area": typical_area(training["square_meters"]),
        "months": [int(training["month"].min()), int(training["month"].max())],
    }
