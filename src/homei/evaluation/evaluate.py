"""Stage `evaluate`: ratio study of the hold-out, compared with baselines and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from homei.config import projection
from homei.config.city import CityConfig
from homei.evaluation import verdicts
from homei.evaluation.confidence_calibration import confidence_study, confidence_table
from homei.evaluation.config import EvaluateConfig
from homei.evaluation.drift import find_shifted_locations
from homei.evaluation.equity import horizontal_equity, vertical_equity
from homei.evaluation.fairness import fairness_study
from homei.evaluation.interval_coverage import coverage_study, coverage_verdicts, coverage_without
from homei.evaluation.noise_floor import noise_floor, read_true_prices
from homei.evaluation.ratio_study import bootstrap_interval, bootstrap_study, ratio_study, within_fences
from homei.evaluation.slices import price_decile, slices
from homei.features.columns import first_day, month_of
from homei.features.config import FeaturesConfig
from homei.storage import lake
from homei.training import baselines
from homei.training.train import tuned_parameters
from homei.training.training_recipe import Recipe, split_holdout, usable_sales

REPORTS = Path("reports/evaluation")
HOLD_OUT = "hold_out"
MAX_POINTS = 5_000  # of the scatter plot
MIN_CELL_SALES = 5


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
    recipe = Recipe.from_config(p.seed, p.city, p.features, p.model, p.train)
    recipe = recipe.with_parameters(**tuned_parameters(p.model))
    sales, predictions = lake.read(lake.TRAINING_SET), lake.read(lake.PREDICTIONS)
    evaluate_predictions(sales, predictions, read_true_prices(p.city), recipe, p).save()


def read_tables() -> dict[str, pd.DataFrame]:
    """The tables beside metrics.json, by name."""
    return {path.stem: lake.read_csv(path) for path in sorted(REPORTS.glob("*.csv"))}


def evaluate_predictions(
    sales: pd.DataFrame, predictions: pd.DataFrame, truth: pd.DataFrame | None, recipe: Recipe, p: SimpleNamespace
) -> EvaluationResult:
    """All measures of the out-of-time predictions; `p` has the sections city … evaluate of params.yaml.

    A model of the same `recipe` is also evaluated on a random split, to show how much that understates the error.
    """
    valued = valued_sales(sales, predictions)
    holdout = with_split_conformal(valued[valued["part"] == HOLD_OUT].reset_index(drop=True), valued, p.intervals.level)
    before, _ = split_holdout(sales, month_of(p.city.as_of), p.split)
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
        "out_of_time": ratio_study(holdout["predicted"], holdout["price"]),
        "random_split": ratio_study(recipe.prices(training, test), test["price"]),
        **{name: ratio_study(values, holdout["price"]) for name, values in baseline_values.items()},
        "noise_floor": noise_floor(sales, holdout, truth),
        **coverage_study(holdout, p.intervals.level),
        "steady": without_shifted_locations(holdout, find_shifted_locations(sales, p.city, p.split), p),
        "ratio_study": raw_and_trimmed(holdout, p.evaluate, p.seed),
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


def raw_and_trimmed(holdout: pd.DataFrame, evaluate: EvaluateConfig, seed: int) -> dict[str, Any]:
    """The ratio study with intervals, `raw` of all sales and `trimmed` of those without outliers.

    `reach` is the accepted distance from the quartiles in interquartile ranges, `outliers` the number of sales beyond.
    """
    trimmed = holdout[within_fences(holdout["predicted"], holdout["price"], evaluate.trim)]
    studies = {
        name: bootstrap_study(part["predicted"], part["price"], evaluate.bootstrap, seed)
        for name, part in (("raw", holdout), ("trimmed", trimmed))
    }
    return {"reach": evaluate.trim, "outliers": len(holdout) - len(trimmed), **studies}


def with_split_conformal(holdout: pd.DataFrame, valued: pd.DataFrame, level: float) -> pd.DataFrame:
    """The hold-out with split-conformal intervals from the rolling-origin residuals of `valued`."""
    rolling = valued[valued["part"] != HOLD_OUT]
    residuals = np.log(rolling["price"].to_numpy() / rolling["predicted"].to_numpy())
    return holdout.assign(**baselines.split_conformal(holdout["predicted"], residuals, level))


def without_shifted_locations(holdout: pd.DataFrame, shifted: Sequence[str], p: SimpleNamespace) -> dict[str, Any]:
    """Coverage study and verdicts, also on confidence, of the sales outside the `shifted` locations."""
    others = holdout[~holdout["location"].isin(shifted)]
    confidence = confidence_study(confidence_table(others, p.evaluate.bootstrap, p.seed))
    study = coverage_without(holdout, p.intervals.level, shifted)
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
    return [
        *verdicts.band_verdicts(study, metrics["vertical_equity"]["significance"], evaluate.bands),
        *(
            verdicts.baseline_verdict(name, values, other, price, draws, seed)
            for name, other in baseline_values.items()
        ),
        *coverage_verdicts(metrics),
        verdicts.confidence_verdict(metrics["confidence"]),
        verdicts.noise_floor_verdict(metrics["out_of_time"], error_interval, metrics["noise_floor"]),
    ]


def plot_tables(
    valued: pd.DataFrame,
    holdout: pd.DataFrame,
    city: CityConfig,
    features: FeaturesConfig,
    evaluate: EvaluateConfig,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """The tables behind the plots, from all out-of-time predictions (`valued`) and those of the hold-out."""
    return {
        "confidence": confidence_table(holdout, evaluate.bootstrap, seed),
        "predicted_actual": predicted_actual(holdout, seed),
        "ratio_by_decile": ratio_by_decile(holdout, evaluate.bootstrap, seed),
        "error_by_month": error_by_month(valued, evaluate.bootstrap, seed),
        "error_map": error_map(holdout, city, features),
        "slices": slices(holdout, evaluate.min_slice, evaluate.bootstrap, seed),
    }


def predicted_actual(holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    """actual and predicted of a random sample of at most MAX_POINTS sales."""
    sample = holdout.sample(min(MAX_POINTS, len(holdout)), random_state=seed).sort_values("transaction_id")
    return pd.DataFrame({"actual": sample["price"], "predicted": sample["predicted"]}).round(2)


def ratio_by_decile(holdout: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """decile (`slices.price_decile`), n, median_ratio, and its 95 % interval low, high."""
    groups = holdout.groupby(price_decile(holdout["predicted"], holdout["price"]))
    return _interval_rows("decile", groups, "median_ratio", draws, seed)


def error_by_month(valued: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """month ("2016-07"), n, mdape, and its 95 % interval low, high, over all out-of-time predictions."""
    names = valued["month"].map({month: f"{first_day(month):%Y-%m}" for month in valued["month"].unique()})
    return _interval_rows("month", valued.groupby(names), "mdape", draws, seed)


def error_map(holdout: pd.DataFrame, city: CityConfig, features: FeaturesConfig) -> pd.DataFrame:
    """longitude, latitude (means), n, median_error (signed) and mdape of each coarse grid cell.

    Cells with fewer than MIN_CELL_SALES sales and sales without coordinates are left out.
    """
    located = holdout.dropna(subset=["latitude", "longitude"])
    x, y = projection.project(located["latitude"], located["longitude"], city.coordinates)
    column, row = projection.cell(x, y, features.cells.coarse, np.floor)
    error = located["predicted"] / located["price"] - 1
    groups = located.assign(error=error, size=error.abs()).groupby([row.rename("row"), column.rename("column")])
    cells = groups.agg(
        longitude=("longitude", "mean"),
        latitude=("latitude", "mean"),
        n=("error", "size"),
        median_error=("error", "median"),
        mdape=("size", "median"),
    )
    return cells[cells["n"] >= MIN_CELL_SALES].reset_index(drop=True).round(6)


def rounded(value: Any) -> Any:
    """`value` with all floats as Python numbers of 6 decimals, which are equal on all processors."""
    if isinstance(value, Mapping):
        return {key: rounded(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(member) for member in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value


def _interval_rows(key: str, groups: Any, statistic: str, draws: int, seed: int) -> pd.DataFrame:
    rows = []
    for name, members in groups:
        valued, price = members["predicted"], members["price"]
        low, high = bootstrap_interval(statistic, valued, price, draws, seed)
        study = ratio_study(valued, price)
        rows.append({key: name, "n": study["n"], statistic: study[statistic], "low": low, "high": high})
    return pd.DataFrame(rows).round(6)
