"""Accuracy of the hold-out and of the backtest as cards, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Card, Html, cards, figure, figures, table
from homei.reporting.number_formats import label, span, text

INTERVAL = "95\u202f% interval"
# Title and format of each statistic, in display order.
MEASURES = {
    "n": ("Sales", "number"),
    "mdape": ("Median error", "percent2"),
    "mape": ("Mean error", "percent2"),
    "ppe10": ("Within 10\u202f%", "percent"),
    "r2": ("R²", "ratio"),
    "median_ratio": ("Median ratio", "ratio"),
    "cod": ("COD", "percent2"),
    "prd": ("PRD", "ratio"),
    "prb": ("PRB", "ratio"),
}
HEADINGS = {name: title for name, (title, _) in MEASURES.items()}
FORMATS = {name: how for name, (_, how) in MEASURES.items()}
# Title and format of each verdict in metrics.json and backtest.json.
VERDICTS = {
    "median_ratio": ("Level (median ratio)", "ratio"),
    "cod": ("Uniformity (COD)", "percent"),
    "prd": ("Cheap against expensive (PRD)", "ratio"),
    "prb": ("Cheap against expensive (PRB)", "ratio"),
    "mki": ("Cheap against expensive (MKI)", "ratio"),
    "vei": ("Cheap against expensive (VEI)", "percent"),
    "better_than_naive": ("Gain on a naive estimate", "percent"),
    "better_than_linear": ("Gain on a linear model", "percent"),
    "better_than_untuned": ("Gain on LightGBM with default parameters", "percent"),
    "months_won": ("Months better than LightGBM with default parameters", "number"),
    "coverage": ("Prices inside their interval", "percent"),
    "confidence": ("Confidence, off by at most", "percent"),
    "coverage_month": ("… in the month furthest off", "percent"),
    "coverage_worth_decile": ("… in the price decile furthest off", "percent"),
    "coverage_valued_decile": ("… in the valuation decile furthest off", "percent"),
    "coverage_location": ("… in the location furthest off", "percent"),
    "interval_width": ("Width against plain split-conformal", "ratio"),
    "noise_floor": ("Times the noise floor", "decimal"),
}
# Titles of the studies in metrics.json, and of the estimators in backtest.json.
STUDIES = {
    "noise_floor": "Noise floor",
    "out_of_time": "The model",
    "random_split": "The model, shuffled",
    "linear": "Linear model",
    "naive": "Naive estimate",
}
ESTIMATORS = {
    "model": "homei",
    "untuned": "LightGBM with default parameters",
    "linear": "Ridge regression",
    "naive": "Median of similar properties",
}


def headline(metrics: Mapping[str, Any]) -> Html:
    """Cards of the hold-out: median error, share within 10 %, dispersion and interval coverage."""
    study = metrics["out_of_time"]
    return cards(
        Card(
            "Median error", text(study["mdape"], "percent2"), f"of {text(study['n'])} sales after the training period"
        ),
        _within_10_percent(study),
        Card("Dispersion (COD)", text(study["cod"], "percent2"), "mean deviation of the ratios from their median"),
        _coverage(metrics),
    )


def backtest_headline(metrics: Mapping[str, Any]) -> Html:
    """Cards of the backtest: pooled error, share within 10 %, months won and interval coverage."""
    study, untuned, won = metrics["pooled"]["model"], metrics["pooled"]["untuned"], metrics["months_won"]
    verdicts = {verdict["name"]: verdict["ok"] for verdict in metrics["verdicts"]}
    compared = f"{ESTIMATORS['untuned']} {text(untuned['mdape'], 'percent2')}"
    note = f"of {text(study['n'])} sales in {won['of']} months; {compared}"
    return cards(
        Card("Median error", text(study["mdape"], "percent2"), note, verdicts["better_than_untuned"]),
        _within_10_percent(study),
        Card("Months won", f"{won['won']} of {won['of']}", f"against {ESTIMATORS['untuned']}", verdicts["months_won"]),
        _coverage(metrics)._replace(ok=verdicts["coverage"]),
    )


def verdict_table(verdicts: Sequence[Mapping[str, Any]]) -> Html:
    """A table of verdicts: measure, value, limits, interval, verdict and its meaning."""
    rows = []
    for verdict in verdicts:
        measure, how = VERDICTS.get(verdict["name"], (verdict["name"], "ratio"))
        value, limits = text(verdict["value"], how), span(verdict["low"], verdict["high"], how)
        rows.append((measure, value, limits, span(*verdict["interval"], how), verdict["ok"], verdict["text"]))
    columns = ["Measure", "Value", "Limits", INTERVAL, "Verdict", "Meaning"]
    return table(pd.DataFrame(rows, columns=columns, dtype=object), {"Verdict": "verdict"})


def study_table(
    studies: Mapping[str, Mapping[str, Any]], heading: str, titles: Mapping[str, str] | None = None
) -> Html:
    """A table of ratio studies, one a row, those of `titles` or all; `heading` is that of their names."""
    rows = [{heading: title, **studies[name]} for name, title in (titles or {name: name for name in studies}).items()]
    frame = pd.DataFrame(rows, columns=[heading, *MEASURES])
    return table(frame.astype(dict.fromkeys(list(MEASURES)[1:], "float64")), FORMATS, HEADINGS)


def confidence_table(groups: pd.DataFrame) -> Html:
    """Stated and observed confidence by fifth, highest confidence first."""
    rows = groups.assign(group=["highest confidence", *[""] * (len(groups) - 2), "lowest confidence"][: len(groups)])
    headings = {"group": "Fifth", "n": "Sales", "low": "From", "high": "To"}
    return table(rows, dict.fromkeys(["stated", "observed", "low", "high"], "percent"), headings)


def slice_charts(slices: pd.DataFrame) -> Html:
    """Charts of the median error by slice with its interval, except by location."""
    charted = []
    for name, rows in slices[slices["slice"] != "location"].groupby("slice", sort=False):
        title = f"Median error by {'age in years' if name == 'age' else label(name)}"
        charted.append(charts.bars(rows["value"], rows["mdape"], title, rows[["mdape_low", "mdape_high"]].to_numpy()))
    return figures(*charted)


def slice_table(slices: pd.DataFrame) -> Html:
    """A table of slices of any kind with their error and its interval; a sentence without any."""
    if slices.empty:
        return Html("<p>No group has enough sales to measure its error.</p>")
    rows = pd.DataFrame(
        {
            "group": slices["slice"].map(label) + ": " + slices["value"].astype(str),
            **slices[["n", "mdape"]],
            INTERVAL: [span(*ends, "percent") for ends in slices[["mdape_low", "mdape_high"]].to_numpy()],
            "median_ratio": slices["median_ratio"],
        }
    )
    return table(rows, {**FORMATS, "mdape": "percent"}, HEADINGS)


def settings(metrics: Mapping[str, Any]) -> Html:
    """The backtest's periods, its months between refits, and the months that calibrate the intervals."""
    headings = {
        "refit_months": "Months between refits",
        "calibration_months": "Months of residuals that calibrate an interval",
    }
    lengths = table(pd.DataFrame([metrics], columns=list(headings)), headings=headings)
    return Html(periods_paragraph(metrics["periods"]) + lengths)


def error_chart(months: pd.DataFrame, names: Sequence[str] = tuple(ESTIMATORS)) -> Html:
    """Line chart of the median error by month for the named estimators, with homei's 95 % interval."""
    titles, has_naive = [ESTIMATORS[name] for name in names], "naive" in names
    band = ("low", "high")
    chart = charts.lines(months, "month", names, titles, "Median error", "percent", band, zero=has_naive, size="wide")
    caption = "A model trained on earlier months values each month. The band is homei's 95\u202f% interval."
    return figure(chart, caption, wide=True)


def month_table(metrics: Mapping[str, Any]) -> Html:
    """A table by month: sales, median error of each estimator, and homei's other statistics."""
    rows = [
        {
            **{name: month[name] for name in ("month", "n")},
            **{name: month[name]["mdape"] for name in ESTIMATORS},
            **{name: month["model"][name] for name in ("ppe10", "median_ratio")},
            **{name: month[name] for name in ("coverage", "width")},
        }
        for month in metrics["months"]
    ]
    formats = {**FORMATS, **dict.fromkeys(ESTIMATORS, "percent2"), "coverage": "percent", "width": "percent"}
    return table(pd.DataFrame(rows), formats, {**HEADINGS, **ESTIMATORS})


def _within_10_percent(study: Mapping[str, Any]) -> Card:
    return Card("Within 10\u202f% of the price", text(study["ppe10"], "percent"), "of all valuations")


def _coverage(metrics: Mapping[str, Any]) -> Card:
    """Interval coverage, with the mean width of the intervals and of plain split-conformal intervals."""
    intervals, plain = metrics["intervals"], metrics["split_conformal"]
    width, plain_width = (text(kind["mean_relative_width"], "percent") for kind in (intervals, plain))
    label = f"Prices inside the {text(intervals['level'], 'percent0')} interval"
    return Card(
        label, text(intervals["coverage"], "percent"), f"{width} mean width; plain split-conformal {plain_width}"
    )


def periods_paragraph(periods: Mapping[str, Any]) -> Html:
    """The months with sales, the lengths in use, and why some are shorter than configured."""
    lengths = ", ".join(f"{key} = {value}" for key, value in periods.items() if "." in key)
    sentences = (
        f"The training set has sales in {periods['months_with_sales']} months, {periods['first_month']} to "
        f"{periods['last_month']}. Lengths in use: {lengths}. {periods['note']}"
    )
    return Html(f"<p>{escape(sentences.strip())}</p>")
