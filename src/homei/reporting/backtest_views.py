"""The backtest as cards, tables and charts: homei and its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Html, cards, figure, table
from homei.reporting.number_formats import text
from homei.reporting.ratio_study_views import FORMATS, HEADINGS, width_note

# Titles of the estimators in backtest.json.
ESTIMATORS = {
    "model": "homei",
    "untuned": "LightGBM with default parameters",
    "linear": "Ridge regression",
    "naive": "Median of similar properties",
}


def headline(metrics: Mapping[str, Any]) -> Html:
    """Headline cards of the backtest: pooled error, share within 10 %, months won, coverage."""
    study, won, intervals = metrics["pooled"]["model"], metrics["months_won"], metrics["intervals"]
    verdicts = {verdict["name"]: verdict["ok"] for verdict in metrics["verdicts"]}
    baseline, baseline_error = ESTIMATORS["untuned"], text(metrics["pooled"]["untuned"]["mdape"], "percent2")
    error_note = f"of {text(study['n'])} sales in {won['of']} months; {baseline} {baseline_error}"
    coverage_title = f"Prices inside the {text(intervals['level'], 'percent0')} interval"
    items = [
        ("Median error", text(study["mdape"], "percent2"), error_note, verdicts["better_than_untuned"]),
        ("Within 10\u202f% of the price", text(study["ppe10"], "percent"), "of all valuations", None),
        ("Months won", f"{won['won']} of {won['of']}", f"against {baseline}", verdicts["months_won"]),
        (coverage_title, text(intervals["coverage"], "percent"), width_note(metrics), verdicts["coverage"]),
    ]
    return cards([{"label": title, "value": value, "note": note, "ok": ok} for title, value, note, ok in items])


def settings(metrics: Mapping[str, Any]) -> Html:
    """A one-row table: months between refits, and months of residuals that calibrate the intervals."""
    headings = {
        "refit_months": "Months between refits",
        "calibration_months": "Months of residuals that calibrate an interval",
    }
    return table(pd.DataFrame([metrics], columns=list(headings)), {}, headings)


def error_chart(months: pd.DataFrame, names: Sequence[str] = tuple(ESTIMATORS)) -> Html:
    """Line chart of the median error by month for the named estimators, with homei's 95 % interval."""
    titles = [ESTIMATORS[name] for name in names]
    chart = charts.lines(
        months, "month", names, titles, "Median error", "percent", ("low", "high"), zero="naive" in names, size="wide"
    )
    caption = "A model trained on earlier months values each month. The band is homei's 95\u202f% interval."
    return figure(chart, caption, wide=True)


def month_table(metrics: Mapping[str, Any]) -> Html:
    """A table by month: sales, median error of each estimator, and homei's other statistics."""
    rows = pd.DataFrame(
        {
            "month": month["month"],
            "n": month["n"],
            **{name: month[name]["mdape"] for name in ESTIMATORS},
            "ppe10": month["model"]["ppe10"],
            "median_ratio": month["model"]["median_ratio"],
            "coverage": month["coverage"],
            "width": month["width"],
        }
        for month in metrics["months"]
    )
    formats = {**FORMATS, **dict.fromkeys(ESTIMATORS, "percent2"), "coverage": "percent", "width": "percent"}
    return table(rows, formats, {**HEADINGS, **ESTIMATORS})
