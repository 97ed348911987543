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

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.evaluation.config import DriftConfig
from homei.evaluation.location_shifts import location_shifts
from homei.evaluation.ratio_study import ratio_study
from homei.features.columns import MARKET_LEVEL, first_day, month_of
from homei.storage import lake
from homei.storage.stable_html import stable_html
from homei.training.config import SplitConfig
from homei.training.training_recipe import split_holdout

REPORTS = Path("reports/drift")

# Distances do not depend on the number of rows; p-values would report drift in every large city.
NUMERIC, CATEGORICAL = "wasserstein", "jensenshannon"
THRESHOLD = 0.1  # Evidently's default: standard deviations, or distance between distributions
ATTRIBUTES = ["square_meters", "bedrooms", "bathrooms", "floor", "latitude", "longitude", "year_built"]
# Both are relative to an index of earlier months: seasons and turns of the market move them by 1 to 2 % of the price.
LOG_COLUMNS, SEASON = ("price_level", "valuation_error"), 0.02
REFERENCE_MONTHS = 12  # for location levels: older sales would count slow divergence


@dataclass(frozen=True)
class ComparedSales:
    """Sales before and of the hold-out, and the columns to compare.

    Columns that change by construction are left out: months, ages, market level, trailing history and counts.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    numeric: list[str]
    categorical: list[str]

    @property
    def attributes(self) -> list[str]:
        return [name for name in self.numeric if name not in LOG_COLUMNS]


@dataclass(frozen=True)
class DriftResult:
    """The contents of drift.json, and Evidently's two pages as HTML."""

    summary: dict[str, Any]
    data_html: str
    regression_html: str


def compared_sales(
    sales: pd.DataFrame, predictions: pd.DataFrame, city: CityConfig, split: SplitConfig
) -> ComparedSales:
    """The sales to compare, with price_level and (out of time only) valuation_error, both in logs.

    price_level is the log price per m² relative to the city's index of earlier months, valuation_error the log of
    predicted ÷ paid price.
    """
    sales = sales.merge(predictions[["transaction_id", "predicted"]], on="transaction_id", how="left", validate="1:1")
    sales = sales.assign(
        price_level=lambda sale: np.round(np.log(sale["price"] / sale["square_meters"]) - sale[MARKET_LEVEL], 9),
        valuation_error=lambda sale: np.round(np.log(sale["predicted"] / sale["price"]), 9),
    )
    reference, current = split_holdout(sales, month_of(city.as_of), split)

    def with_values(names: list[str]) -> list[str]:
        return [name for name in names if reference[name].notna().any() and current[name].notna().any()]

    numeric = with_values([*ATTRIBUTES, *city.attributes.numeric, *LOG_COLUMNS])
    return ComparedSales(
        reference, current, numeric, with_values(["property_type", "location", *city.attributes.categorical])
    )


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
    shifted = _shifted(locations)
    summary = {
        "reference": _period(compared.reference),
        "current": _period(compared.current),
        "columns": columns,
        "drifted_share": round(share, 6),
        "limit": drift.drifted_share,
        "locations": locations,
        "shifted_locations": shifted,
        "regression": regression,
        "drifted": share >= drift.drifted_share or bool(shifted),
        "verdict": _sentence(columns, locations, share >= drift.drifted_share),
    }
    return DriftResult(summary, data_html, regression_html)


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
            "score": round(scores[name], 6),
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
        return round(max(THRESHOLD, math.sqrt(_chi_square(reference.nunique() - 1) / 8 * error)), 4)
    season = SEASON / float(reference.std()) if reference.name in LOG_COLUMNS else 0.0
    return round(max(THRESHOLD, 3.3 * math.sqrt(error), season), 4)


def compare_errors(compared: ComparedSales, drift: DriftConfig, seed: int) -> tuple[dict[str, Any], str]:
    """Ratio studies of out-of-time valuations before and in the hold-out, and Evidently's page on them.

    The reference has rolling-origin predictions; in-sample errors would make any month look worse.
    """
    evidently = _evidently()
    current_sales, reference_sales = (
        sales.loc[sales["predicted"].notna(), ["price", "predicted"]]
        for sales in (compared.current, compared.reference)
    )
    current, reference = (_rounded_study(sales) for sales in (current_sales, reference_sales))
    schema = evidently.DataDefinition(
        numerical_columns=["price", "predicted"],
        regression=[evidently.Regression(target="price", prediction="predicted")],
    )
    samples = [_sample(sales, drift.max_rows, seed) for sales in (current_sales, reference_sales)]
    _, html = _run(evidently, evidently.presets.RegressionPreset(), schema, *samples)
    change = current["mdape"] / reference["mdape"] - 1 if reference["mdape"] else None
    return {"reference": reference, "current": current, "mdape_change": change and round(change, 6)}, html


def find_shifted_locations(sales: pd.DataFrame, city: CityConfig, split: SplitConfig) -> list[str]:
    """The locations whose price level shifted in the hold-out, computed without valuations."""
    unvalued = sales[["transaction_id"]].assign(predicted=np.nan)
    return _shifted(compare_locations(compared_sales(sales, unvalued, city, split)))


def compare_locations(compared: ComparedSales) -> list[dict[str, Any]]:
    """`location_shifts` of the hold-out against the year before, with its median valuation error."""
    since = compared.current["month"].min() - REFERENCE_MONTHS
    before = compared.reference[compared.reference["month"] >= since]
    categorical = [name for name in compared.categorical if name != "location"]
    shifts = location_shifts(before, compared.current, compared.attributes, categorical)
    error = np.expm1(compared.current.groupby("location")["valuation_error"].median())
    return [
        {**shift, "valuation_error": None if pd.isna(error[shift["location"]]) else round(error[shift["location"]], 6)}
        for shift in shifts.to_dict("records")
    ]


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


def _chi_square(degrees_of_freedom: int) -> float:
    """The 99.9th percentile of the χ² distribution, approximated (Wilson and Hilferty 1931)."""
    step = 2 / (9 * max(degrees_of_freedom, 1))
    return max(degrees_of_freedom, 1) * (1 - step + 3.09 * math.sqrt(step)) ** 3


def _shifted(locations: list[dict[str, Any]]) -> list[str]:
    return [location["location"] for location in locations if location["shifted"]]


def _period(sales: pd.DataFrame) -> dict[str, Any]:
    months = [f"{first_day(int(month)):%Y-%m}" for month in (sales["month"].min(), sales["month"].max())]
    return {"months": months, "rows": len(sales)}


def _rounded_study(sales: pd.DataFrame) -> dict[str, Any]:
    study = ratio_study(sales["predicted"], sales["price"])
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in study.items()}


def _sentence(columns: list[dict[str, Any]], locations: list[dict[str, Any]], is_limit_reached: bool) -> str:
    drifted = [column["column"] for column in columns if column["drifted"]]
    shifted = [location for location in locations if location["shifted"]]
    changes = ", ".join(f"{location['location']} {location['change'] * 100:+.0f} %" for location in shifted)
    of_locations = f"prices shifted against the city's in {len(shifted)} of {len(locations)} locations ({changes})"
    of_columns = f"{len(drifted)} of {len(columns)} columns drifted" + (f" ({', '.join(drifted)})" if drifted else "")
    if shifted:
        return f"Drift: {of_locations}; {of_columns}. Check valuations there, and retrain soon."
    if is_limit_reached:
        return f"Drift: {of_columns}; prices shifted in no location. Retrain."
    return f"No drift: {of_columns}, and prices shifted in no location."
