"""Stage `evaluate`: ratio study of the hold-out, compared with baselines and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation import verdicts
from homei.evaluation.confidence_calibration import confidence_study, confidence_table
from homei.evaluation.config import EvaluateConfig
from homei.evaluation.equity import horizontal_equity, vertical_equity
from homei.evaluation.fairness import fairness_study
from homei.evaluation.flagged_sales import value_flagged_sales
from homei.evaluation.interval_coverage import coverage_study, coverage_verdicts, coverage_without
from homei.evaluation.location_shifts import find_shifted_locations
from homei.evaluation.noise_floor import noise_floor, read_true_prices
from homei.evaluation.plot_tables import plot_tables
from homei.evaluation.ratio_study import NO_STUDY, bootstrap_study, ratio_study, rounded, within_fences
from homei.storage import lake
from homei.training import baselines
from homei.training.time_splits import TimeSplit, split_holdout, usable_sales
from homei.training.train import tuned_parameters
from homei.training.training_recipe import Recipe

REPORTS = Path("reports/evaluation")
HOLD_OUT = "hold_out"


@dataclass(frozen=True)
class EvaluationResult:
    """The contents of metrics.json, and the tables beside it by name."""

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def save(self, folder: Path = REPORTS) -> None:
        lake.write_json(self.metrics, folder / "metrics.json")
        for name, table in self.tables.items():
            lake.write_text(table.to_csv(index=False, lineterminator="\n"), folder / f"{name}.csv")


def run(**sections: Any) -> None:
    """Stage `evaluate`: writes metrics.json and its tables to reports/evaluation."""
    p = SimpleNamespace(**sections)
    recipe = Recipe.from_config(p)
    recipe = recipe.with_parameters(**tuned_parameters(p.model))
    sales, predictions = lake.read(lake.TRAINING_SET), lake.read(lake.PREDICTIONS)
    flagged = value_flagged_sales(p.city, p.features, TimeSplit.plan(sales["month"], p.split).first_holdout)
    evaluate_predictions(sales, predictions, flagged, read_true_prices(p.city), recipe, p).save()


def read_tables() -> dict[str, pd.DataFrame]:
    """The tables beside metrics.json, by name."""
    return {path.stem: lake.read_csv(path) for path in sorted(REPORTS.glob("*.csv"))}


def evaluate_predictions(
    sales: pd.DataFrame,
    predictions: pd.DataFrame,
    flagged: pd.DataFrame,
    truth: pd.DataFrame | None,
    recipe: Recipe,
    p: SimpleNamespace,
) -> EvaluationResult:
    """All measures of the out-of-time predictions; `p` has the sections city … evaluate of params.yaml.

    `flagged` are the valuations of `value_flagged_sales`. A model of the same `recipe` is also evaluated on a random
    split, to show how much that understates the error.
    """
    valued = valued_sales(sales, predictions)
    holdout = with_split_conformal(valued[valued["part"] == HOLD_OUT].reset_index(drop=True), valued, p.intervals.level)
    before, _ = split_holdout(sales, p.split)
    baseline_values = {"naive": baselines.naive(sales, holdout), "linear": baselines.linear(recipe, before, holdout)}
    usable = usable_sales(sales, p.split)
    training, test = random_split(usable, len(holdout) / len(usable), p.seed)
    fairness = fairness_study(holdout, p.city, p.evaluate, p.seed)
    tables = plot_tables(valued, holdout, p.city, p.features, p.evaluate, p.seed)
    metrics = {
        "source": p.city.name,
        "currency": p.city.currency,
        "as_of": p.city.as_of.isoformat(),
        "model": p.model.name,
        "periods": TimeSplit.plan(sales["month"], p.split).record(),
        "out_of_time": ratio_study(holdout["predicted"], holdout["price"]),
        "random_split": ratio_study(recipe.prices(training, test), test["price"]),
        **{name: known_study(values, holdout["price"]) for name, values in baseline_values.items()},
        "noise_floor": noise_floor(sales, holdout, truth),
        **coverage_study(holdout, p.intervals.level),
        "steady": without_shifted_locations(holdout, find_shifted_locations(sales, p.city, p.split), p),
        "ratio_study": ratio_studies(holdout, flagged, p.evaluate, p.seed),
        "vertical_equity": vertical_equity(holdout["predicted"], holdout["price"]),
        "horizontal_equity": horizontal_equity(holdout, p.evaluate.bootstrap, p.seed),
        "fairness": fairness.groups,
        "confidence": confidence_study(tables["confidence"]),
    }
    metrics["verdicts"] = evaluation_verdicts(holdout, baseline_values, metrics, p.evaluate, p.seed)
    return EvaluationResult(rounded(metrics), {**tables, "fairness": fairness.table})


def valued_sales(sales: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The out-of-time predictions with the attributes of their sales."""
    columns = ["transaction_id", "predicted", "low", "high", "deviation", "part"]
    return predictions[columns].merge(sales, on="transaction_id", how="left", validate="one_to_one")


def random_split(sales: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training sales and a random `share` of test sales, regardless of time."""
    is_test = np.random.default_rng(seed).permutation(len(sales)) < round(share * len(sales))
    return sales[~is_test], sales[is_test]


def known_study(values: np.ndarray, price: pd.Series) -> dict[str, Any]:
    """The ratio study of the sales that have a value."""
    is_known = np.isfinite(values)
    return ratio_study(values[is_known], price[is_known]) if is_known.any() else NO_STUDY


def ratio_studies(holdout: pd.DataFrame, flagged: pd.DataFrame, evaluate: EvaluateConfig, seed: int) -> dict[str, Any]:
    """The ratio study with intervals of all sales (`raw`), without outliers, and with `flagged` sales.

    `reach` is the accepted distance from the quartiles in interquartile ranges, `outliers` the number of sales beyond,
    `flagged` the number of sales that are only in the last study.
    """
    trimmed = holdout[within_fences(holdout["predicted"], holdout["price"], evaluate.trim)]
    columns = ["predicted", "price"]
    parts = {"raw": holdout, "trimmed": trimmed, "with_flagged": pd.concat([holdout[columns], flagged[columns]])}
    return {
        "reach": evaluate.trim,
        "outliers": len(holdout) - len(trimmed),
        "flagged": len(flagged),
        **{
            name: bootstrap_study(part["predicted"], part["price"], evaluate.bootstrap, seed)
            for name, part in parts.items()
        },
    }


def with_split_conformal(holdout: pd.DataFrame, valued: pd.DataFrame, level: float) -> pd.DataFrame:
    """The hold-out with split-conformal intervals from the rolling-origin residuals of `valued`."""
    rolling = valued[valued["part"] != HOLD_OUT]
    residuals = np.log(rolling["price"].to_numpy() / rolling["predicted"].to_numpy())
    return holdout.assign(**baselines.split_conformal(holdout["predicted"], residuals, level))


def without_shifted_locations(holdout: pd.DataFrame, shifted: Sequence[str], p: SimpleNamespace) -> dict[str, Any]:
    """Coverage study and verdicts, also on confidence, of the sales outside the `shifted` locations."""
    study = coverage_without(holdout, p.intervals.level, shifted)
    others = holdout[~holdout["location"].isin(shifted)]
    if others.empty:
        return study
    confidence = confidence_study(confidence_table(others, p.evaluate.bootstrap, p.seed))
    return {**study, "verdicts": [*study["verdicts"], verdicts.confidence_verdict(confidence)]}


def evaluation_verdicts(
    holdout: pd.DataFrame,
    baseline_values: Mapping[str, np.ndarray],
    metrics: Mapping[str, Any],
    evaluate: EvaluateConfig,
    seed: int,
) -> list[dict[str, Any]]:
    """All verdicts on the hold-out: ratio bands, baselines, coverage, confidence, noise floor."""
    values, price, draws = holdout["predicted"], holdout["price"], evaluate.bootstrap
    study = metrics["ratio_study"]["raw"]
    error_interval = study["mdape"]["low"], study["mdape"]["high"]
    result = [
        *verdicts.band_verdicts(study, metrics["vertical_equity"]["significance"], evaluate.bands),
        *(
            verdicts.baseline_verdict(name, values, other, price, draws, seed)
            for name, other in baseline_values.items()
        ),
        *coverage_verdicts(metrics),
        verdicts.confidence_verdict(metrics["confidence"]),
        verdicts.noise_floor_verdict(metrics["out_of_time"], error_interval, metrics["noise_floor"]),
    ]
    return verdicts.of_enough_sales(result, len(holdout), evaluate.min_slice)
