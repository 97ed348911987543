"""Drift: whether the last months still look like those the model learnt from, and where they do not.

Three questions, each with its own verdict: do the columns look alike (Evidently), do valuations err alike (Evidently,
out-of-time predictions on both sides), and did prices leave their level anywhere (`model.shift`).
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

from homei.config import Drift, Split
from homei.features.columns import MARKET_LEVEL, first_day, month_of
from homei.model import shift
from homei.model.ratio import ratio_study
from homei.model.recipe import before_and_held
from homei.source import Source

REPORTS = Path("reports/drift")

# One measure for any number of rows: tests whose p-value falls with their number would call every large city drifted.
NUMERIC, CATEGORICAL = "wasserstein", "jensenshannon"
THRESHOLD = 0.1  # Evidently's own: of a standard deviation, and of the distance between distributions
ATTRIBUTES = ["square_meters", "bedrooms", "bathrooms", "floor", "latitude", "longitude", "year_built"]
# Both are measured against an index that knows the months before only: a season or a turn of the market moves them by
# 1 to 2 % of the price, which is no drift.
IN_LOGS, SEASON = ("price_level", "valuation_error"), 0.02
REFERENCE_MONTHS = 12  # of sales that location levels are compared with: older ones would count slow divergence


@dataclass(frozen=True)
class Watched:
    """Sales of the training window and of the hold-out, with the columns that should stay as they are.

    Not among them is what moves by construction: months, ages, the market's level, trailing history and its counts.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    numeric: list[str]
    categorical: list[str]

    @property
    def attributes(self) -> list[str]:
        return [name for name in self.numeric if name not in IN_LOGS]


@dataclass(frozen=True)
class Found:
    """What drift.json holds, and Evidently's two pages as HTML."""

    summary: dict[str, Any]
    data_html: str
    regression_html: str


def watch(sales: pd.DataFrame, predictions: pd.DataFrame, source: Source, split: Split) -> Watched:
    """The sales to compare, with price_level and valuation_error (logs; known for out-of-time predictions only).

    price_level is the log price per m² above the city's index as known before, which takes the market's own movement
    out; valuation_error that of the predicted over the paid price.
    """
    known = sales.merge(predictions[["transaction_id", "predicted"]], on="transaction_id", how="left", validate="1:1")
    known = known.assign(
        price_level=lambda sale: np.round(np.log(sale["price"] / sale["square_meters"]) - sale[MARKET_LEVEL], 9),
        valuation_error=lambda sale: np.round(np.log(sale["predicted"] / sale["price"]), 9),
    )
    trained, held = before_and_held(known, month_of(source.as_of), split)
    numeric = [*ATTRIBUTES, *source.numeric, *IN_LOGS]
    categorical = ["property_type", "location", *source.categorical]
    told = [name for name in [*numeric, *categorical] if trained[name].notna().any() and held[name].notna().any()]
    return Watched(
        trained, held, [name for name in numeric if name in told], [name for name in categorical if name in told]
    )


def detect(
    sales: pd.DataFrame, predictions: pd.DataFrame, source: Source, split: Split, drift: Drift, seed: int
) -> Found:
    """Drift by column, by location and of the valuations' errors, with one verdict over all.

    The whole counts as drifted where the share of drifted columns reaches `drift.share`, or any location shifted.
    """
    watched = watch(sales, predictions, source, split)
    columns, data_html = compare_columns(watched, drift, seed)
    regression, regression_html = compare_errors(watched, drift, seed)
    locations = compare_locations(watched)
    share = sum(column["drifted"] for column in columns) / len(columns)
    shifted = _shifted(locations)
    summary = {
        "reference": _period(watched.reference),
        "current": _period(watched.current),
        "columns": columns,
        "drifted_share": round(share, 6),
        "limit": drift.share,
        "locations": locations,
        "shifted_locations": shifted,
        "regression": regression,
        "drifted": share >= drift.share or bool(shifted),
        "verdict": _sentence(columns, locations, share >= drift.share),
    }
    return Found(summary, data_html, regression_html)


def compare_columns(watched: Watched, drift: Drift, seed: int) -> tuple[list[dict[str, Any]], str]:
    """For each watched column whether it drifted, by which method, score and threshold; and Evidently's page."""
    evidently = _evidently()
    names = [*watched.numeric, *watched.categorical]
    schema = evidently.DataDefinition(numerical_columns=watched.numeric, categorical_columns=watched.categorical)
    current, reference = (_sample(side[names], drift.sample, seed) for side in (watched.current, watched.reference))
    thresholds = {name: threshold(current[name], reference[name]) for name in names}
    preset = evidently.presets.DataDriftPreset(
        columns=names, num_method=NUMERIC, cat_method=CATEGORICAL, per_column_threshold=thresholds,
        drift_share=drift.share,
    )  # fmt: skip
    result, html = _run(evidently, preset, schema, current, reference)
    scores = {
        metric["config"]["column"]: float(metric["value"])
        for metric in result["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    }
    return [_column(name, name in watched.categorical, scores[name], thresholds[name]) for name in names], html


def threshold(current: pd.Series, reference: pd.Series) -> float:
    """The score from which a column counts as drifted: THRESHOLD, or more where chance or the season reaches that.

    Chance leads one column in a thousand beyond: for numbers 3.3 standard errors of a difference of means, for
    categories the χ² of their table, which at these sizes is 8 times the Jensen-Shannon divergence.
    """
    error = 1 / int(current.notna().sum()) + 1 / int(reference.notna().sum())
    if reference.dtype.kind not in "iuf":
        return round(max(THRESHOLD, math.sqrt(_chi_square(reference.nunique() - 1) / 8 * error)), 4)
    season = SEASON / float(reference.std()) if reference.name in IN_LOGS else 0.0
    return round(max(THRESHOLD, 3.3 * math.sqrt(error), season), 4)


def compare_errors(watched: Watched, drift: Drift, seed: int) -> tuple[dict[str, Any], str]:
    """The ratio studies of out-of-time valuations before and since, and Evidently's page on them.

    The reference is valued by models of its own past (rolling origins); in-sample errors would make any month look bad.
    """
    evidently = _evidently()
    sides = [
        side.loc[side["predicted"].notna(), ["price", "predicted"]] for side in (watched.current, watched.reference)
    ]
    current, reference = (_rounded(ratio_study(side["predicted"], side["price"])) for side in sides)
    schema = evidently.DataDefinition(
        numerical_columns=["price", "predicted"],
        regression=[evidently.Regression(target="price", prediction="predicted")],
    )
    sampled = [_sample(side, drift.sample, seed) for side in sides]
    _, html = _run(evidently, evidently.presets.RegressionPreset(), schema, *sampled)
    change = current["mdape"] / reference["mdape"] - 1 if reference["mdape"] else None
    return {"reference": reference, "current": current, "mdape_change": change and round(change, 6)}, html


def moved_locations(sales: pd.DataFrame, source: Source, split: Split) -> list[str]:
    """The locations whose prices left the city's level in the hold-out, without a valuation: `shifted_locations`."""
    unvalued = sales[["transaction_id"]].assign(predicted=np.nan)
    return _shifted(compare_locations(watch(sales, unvalued, source, split)))


def compare_locations(watched: Watched) -> list[dict[str, Any]]:
    """`shift.location_shifts` of the hold-out against the year before it, with the median valuation error since."""
    since = watched.current["month"].min() - REFERENCE_MONTHS
    before = watched.reference[watched.reference["month"] >= since]
    others = [name for name in watched.categorical if name != "location"]
    shifts = shift.location_shifts(before, watched.current, watched.attributes, others)
    error = np.expm1(watched.current.groupby("location")["valuation_error"].median())
    return [
        {**place, "valuation_error": None if pd.isna(error[place["location"]]) else round(error[place["location"]], 6)}
        for place in shifts.to_dict("records")
    ]


def _evidently() -> Any:
    """Evidently, imported late (it takes 10 s) and told not to call home."""
    os.environ["DO_NOT_TRACK"] = "1"
    import evidently
    import evidently.presets

    return evidently


def _run(evidently: Any, preset: Any, schema: Any, current: pd.DataFrame, reference: pd.DataFrame) -> tuple[dict, str]:
    with warnings.catch_warnings():
        # Evidently bins both sides, and warns of each bin that one of them leaves empty.
        warnings.simplefilter("ignore")
        sides = [evidently.Dataset.from_pandas(side, data_definition=schema) for side in (current, reference)]
        result = evidently.Report([preset]).run(*sides)
        return result.dict(), result.get_html_str(as_iframe=False)


def _sample(sales: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    taken = sales if len(sales) <= most else sales.sample(most, random_state=seed).sort_index()
    return taken.reset_index(drop=True)


def _chi_square(freedom: int) -> float:
    """The 99.9th percentile of the χ² distribution (Wilson and Hilferty 1931)."""
    step = 2 / (9 * max(freedom, 1))
    return max(freedom, 1) * (1 - step + 3.09 * math.sqrt(step)) ** 3


def _column(name: str, categorical: bool, score: float, least: float) -> dict[str, Any]:
    method = CATEGORICAL if categorical else NUMERIC
    return {"column": name, "drifted": score >= least, "method": method, "score": round(score, 6), "threshold": least}


def _shifted(locations: list[dict[str, Any]]) -> list[str]:
    return [place["location"] for place in locations if place["shifted"]]


def _period(sales: pd.DataFrame) -> dict[str, Any]:
    ends = [f"{first_day(int(month)):%Y-%m}" for month in (sales["month"].min(), sales["month"].max())]
    return {"months": ends, "rows": len(sales)}


def _rounded(study: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in study.items()}


def _sentence(columns: list[dict[str, Any]], locations: list[dict[str, Any]], wide: bool) -> str:
    drifted = [column["column"] for column in columns if column["drifted"]]
    shifted = [place for place in locations if place["shifted"]]
    moves = ", ".join(f"{place['location']} {place['change'] * 100:+.0f} %" for place in shifted)
    where = f"prices moved apart from the city's in {len(shifted)} of {len(locations)} locations ({moves})"
    what = f"{len(drifted)} of {len(columns)} watched columns drifted" + (f" ({', '.join(drifted)})" if drifted else "")
    if shifted:
        return f"Drift: {where}; {what}. Treat valuations there with care, and retrain soon."
    if wide:
        return f"Drift: {what}; no location's prices moved apart from the city's. Retrain."
    return f"No drift: {what}, and no location's prices moved apart from the city's."
