"""Drift: whether the hold-out's sales resemble the training sales, and where they do not.

There are three comparisons, each with its verdict: of columns (Evidently), of out-of-time valuation errors (Evidently),
and of price levels by location (`location_shifts`).
"""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import chi2

from homei.config.city import CityConfig
from homei.evaluation.config import DriftConfig
from homei.evaluation.location_shifts import MIN_LOCATIONS, compare_locations
from homei.evaluation.periods import LOG_COLUMNS, ComparedSales, compared_sales
from homei.evaluation.ratio_study import ratio_study, rounded
from homei.features.columns import first_day
from homei.storage import lake
from homei.storage.stable_html import stable_html
from homei.training.config import SplitConfig

REPORTS = Path("reports/drift")

# Distances do not depend on the number of rows; p-values would report drift in every large city.
NUMERIC, CATEGORICAL = "wasserstein", "jensenshannon"
THRESHOLD = 0.1  # Evidently's default: standard deviations, or distance between distributions
SEASON = 0.02  # seasons and turns of the market move LOG_COLUMNS by 1 to 2 % of the price


@dataclass(frozen=True)
class DriftResult:
    """The contents of drift.json, and Evidently's two pages as HTML."""

    summary: dict[str, Any]
    data_html: str
    regression_html: str


def run(seed: int, city: CityConfig, split: SplitConfig, drift: DriftConfig) -> None:
    """Writes drift.json and Evidently's two reports to reports/drift."""
    result = detect_drift(lake.read(lake.TRAINING_SET), lake.read(lake.PREDICTIONS), city, split, drift, seed)
    lake.write_json(result.summary, REPORTS / "drift.json")
    lake.write_text(stable_html(result.data_html), REPORTS / "data_drift.html")
    lake.write_text(stable_html(result.regression_html), REPORTS / "regression.html")


def detect_drift(
    sales: pd.DataFrame, predictions: pd.DataFrame, city: CityConfig, split: SplitConfig, drift: DriftConfig, seed: int
) -> DriftResult:
    """Drift by column, by location and of valuation errors, with an overall verdict.

    `drifted` holds if the share of drifted columns reaches `drift.drifted_share`, or if any location shifted.
    """
    compared = compared_sales(sales, predictions, city, split)
    columns, data_html = compare_columns(compared, drift, seed)
    regression, regression_html = compare_errors(compared, drift, seed)
    locations = compare_locations(compared)
    share = sum(column["drifted"] for column in columns) / len(columns)
    shifted = [location["location"] for location in locations if location["shifted"]]
    summary = {
        "reference": _period(compared.reference),
        "current": _period(compared.current),
        "columns": columns,
        "drifted_share": share,
        "limit": drift.drifted_share,
        "locations": locations,
        "shifted_locations": shifted,
        "regression": regression,
        "drifted": share >= drift.drifted_share or bool(shifted),
        "verdict": _sentence(columns, locations, share >= drift.drifted_share),
    }
    return DriftResult(rounded(summary), data_html, regression_html)


def compare_columns(compared: ComparedSales, drift: DriftConfig, seed: int) -> tuple[list[dict[str, Any]], str]:
    """For each column: whether it drifted, method, score and threshold; and Evidently's page."""
    evidently = _evidently()
    names = [*compared.numeric, *compared.categorical]
    schema = evidently.DataDefinition(numerical_columns=compared.numeric, categorical_columns=compared.categorical)
    current, reference = (
        _sample(sales[names], drift.max_rows, seed) for sales in (compared.current, compared.reference)
    )
    thresholds = {name: threshold(current[name], reference[name]) for name in names}
    preset = evidently.presets.DataDriftPreset(
        columns=names, num_method=NUMERIC, cat_method=CATEGORICAL, per_column_threshold=thresholds,
        drift_share=drift.drifted_share,
    )  # fmt: skip
    report, html = _run(evidently, preset, schema, current, reference)
    scores = {
        metric["config"]["column"]: float(metric["value"])
        for metric in report["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    }
    columns = [
        {
            "column": name,
            "drifted": scores[name] >= thresholds[name],
            "method": CATEGORICAL if name in compared.categorical else NUMERIC,
            "score": scores[name],
            "threshold": thresholds[name],
        }
        for name in names
    ]
    return columns, html


def threshold(current: pd.Series, reference: pd.Series) -> float:
    """The score from which a column has drifted: THRESHOLD, or more if chance or season reaches it.

    Chance exceeds it in one of a thousand columns: 3.3 standard errors of a difference of means for numbers; for
    categories the χ² of their table, which at these sizes is 8 times the Jensen-Shannon divergence.
    """
    error = 1 / int(current.notna().sum()) + 1 / int(reference.notna().sum())
    if reference.dtype.kind not in "iuf":
        degrees_of_freedom = max(reference.nunique() - 1, 1)
        return round(max(THRESHOLD, math.sqrt(chi2.ppf(0.999, degrees_of_freedom) / 8 * error)), 4)
    season = SEASON / float(reference.std()) if reference.name in LOG_COLUMNS else 0.0
    return round(max(THRESHOLD, 3.3 * math.sqrt(error), season), 4)


def compare_errors(compared: ComparedSales, drift: DriftConfig, seed: int) -> tuple[dict[str, Any], str]:
    """Ratio studies of out-of-time valuations before and in the hold-out, and Evidently's page on them.

    The reference has rolling-origin predictions; in-sample errors would make any month look worse.
    """
    evidently = _evidently()
    valued = [
        sales.loc[sales["predicted"].notna(), ["price", "predicted"]]
        for sales in (compared.current, compared.reference)
    ]
    current, reference = (rounded(ratio_study(sales["predicted"], sales["price"])) for sales in valued)
    schema = evidently.DataDefinition(
        numerical_columns=["price", "predicted"],
        regression=[evidently.Regression(target="price", prediction="predicted")],
    )
    samples = [_sample(sales, drift.max_rows, seed) for sales in valued]
    _, html = _run(evidently, evidently.presets.RegressionPreset(), schema, *samples)
    change = current["mdape"] / reference["mdape"] - 1 if reference["mdape"] else None
    return {"reference": reference, "current": current, "mdape_change": change}, html


def _evidently() -> Any:
    """The package evidently, imported on use (10 s) and with its telemetry off."""
    os.environ["DO_NOT_TRACK"] = "1"
    import evidently
    import evidently.presets

    return evidently


def _run(evidently: Any, preset: Any, schema: Any, current: pd.DataFrame, reference: pd.DataFrame) -> tuple[dict, str]:
    with warnings.catch_warnings():
        # Evidently warns of every histogram bin that is empty on one side.
        warnings.simplefilter("ignore")
        datasets = [evidently.Dataset.from_pandas(sales, data_definition=schema) for sales in (current, reference)]
        report = evidently.Report([preset]).run(*datasets)
        return report.dict(), report.get_html_str(as_iframe=False)


def _sample(sales: pd.DataFrame, max_rows: int, seed: int) -> pd.DataFrame:
    sample = sales if len(sales) <= max_rows else sales.sample(max_rows, random_state=seed).sort_index()
    return sample.reset_index(drop=True)


def _period(sales: pd.DataFrame) -> dict[str, Any]:
    months = [f"{first_day(int(month)):%Y-%m}" for month in (sales["month"].min(), sales["month"].max())]
    return {"months": months, "rows": len(sales)}


def _sentence(columns: list[dict[str, Any]], locations: list[dict[str, Any]], is_limit_reached: bool) -> str:
    drifted = [column["column"] for column in columns if column["drifted"]]
    of_columns = f"{len(drifted)} of {len(columns)} columns drifted" + (f" ({', '.join(drifted)})" if drifted else "")
    if shifted := [location for location in locations if location["shifted"]]:
        changes = ", ".join(f"{location['location']} {location['change'] * 100:+.0f} %" for location in shifted)
        of_locations = f"prices shifted against the city's in {len(shifted)} of {len(locations)} locations ({changes})"
        return f"Drift: {of_locations}; {of_columns}. Check valuations there, and retrain soon."
    in_locations = "prices shifted in no location"
    if not locations:
        in_locations = f"fewer than {MIN_LOCATIONS} locations have enough sales to compare their prices"
    return (
        f"Drift: {of_columns}; {in_locations}. Retrain."
        if is_limit_reached
        else (f"No drift: {of_columns}, and {in_locations}.")
    )
