"""A backtest as cards, tables and pictures: the system beside its rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from homei.report import charts
from homei.report.formats import text
from homei.report.page import Html, cards, figure, table
from homei.report.studies import width_note

# As backtest.json names the estimators: what a reader calls them.
ESTIMATORS = {
    "model": "The system",
    "untuned": "LightGBM as it comes",
    "linear": "Linear model",
    "naive": "Naive estimate",
}


def headline(metrics: Mapping[str, Any]) -> Html:
    """The cards that sum a backtest up: pooled error, share within 10 %, months won, coverage."""
    study, won, intervals = metrics["pooled"]["model"], metrics["months_won"], metrics["intervals"]
    verdicts = {verdict["name"]: verdict["ok"] for verdict in metrics["verdicts"]}
    level, rival = text(intervals["level"], "percent0"), metrics["pooled"]["untuned"]
    return cards(
        [
            {
                "label": "Median error",
                "value": text(study["mdape"], "percent2"),
                "note": f"of {text(study['n'])} sales in {won['of']} months; "
                f"LightGBM as it comes {text(rival['mdape'], 'percent2')}",
                "ok": verdicts["better_than_untuned"],
            },
            {
                "label": "Within 10\u202f% of the price",
                "value": text(study["ppe10"], "percent"),
                "note": "of all valuations",
            },
            {
                "label": "Months won",
                "value": f"{won['won']} of {won['of']}",
                "note": "against LightGBM as it comes",
                "ok": verdicts["months_won"],
            },
            {
                "label": f"Prices inside the {level} interval",
                "value": text(intervals["coverage"], "percent"),
                "note": width_note(metrics),
                "ok": verdicts["coverage"],
            },
        ]
    )


def settings(metrics: Mapping[str, Any]) -> Html:
    """How often models were refit, and on how many months intervals were calibrated: a table of one row."""
    row = {"months valued by one refit": metrics["refit_months"], "months of errors": metrics["calibration_months"]}
    return table(pd.DataFrame([row]), {}, {"months of errors": "Months of errors behind an interval"})


def errors_picture(months: pd.DataFrame, names: Sequence[str] = tuple(ESTIMATORS)) -> Html:
    """The median error of the named estimators month by month, the system's with its 95 % interval."""
    titles = [ESTIMATORS[name] for name in names]
    picture = charts.lines(
        months, "month", names, titles, "Median error", "percent", ("low", "high"), zero="naive" in names, size="wide"
    )
    return figure(picture, "Each month valued by those before it; the band is the system's 95\u202f% interval.", True)


def month_table(metrics: Mapping[str, Any]) -> Html:
    """A row a month: sales, each estimator's median error, the system's other measures, coverage and width."""
    rows = pd.DataFrame(
        {
            "month": month["month"],
            "n": month["n"],
            **{title: month[name]["mdape"] for name, title in ESTIMATORS.items()},
            "ppe10": month["model"]["ppe10"],
            "median_ratio": month["model"]["median_ratio"],
            "coverage": month["coverage"],
            "width": month["width"],
        }
        for month in metrics["months"]
    )
    errors = dict.fromkeys(ESTIMATORS.values(), "percent2")
    formats = {**errors, "ppe10": "percent", "median_ratio": "ratio", "coverage": "percent", "width": "percent"}
    headings = {"n": "Sales", "ppe10": "Within 10\u202f%", "median_ratio": "Median ratio"}
    return table(rows, formats, headings)
