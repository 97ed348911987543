"""Interval coverage as tables and charts: overall, by group and without shifted locations."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from homei.reporting import charts, summary_sentences
from homei.reporting.html_page import Html, figures, table
from homei.reporting.number_formats import text
from homei.reporting.ratio_study_views import verdict_table

KINDS = {
    "month": "month",
    "worth_decile": "price decile",
    "valued_decile": "valuation decile",
    "location": "location",
}


def coverage_study(metrics: Mapping[str, Any]) -> Html:
    """The complete coverage study: interval widths, and coverage by each kind of group."""
    return Html(interval_table(metrics) + coverage_charts(metrics) + coverage_tables(metrics))


def interval_table(metrics: Mapping[str, Any]) -> Html:
    """Coverage and width of homei's intervals and of plain split-conformal intervals on the same sales."""
    kinds = {"homei": metrics["intervals"], "Plain split-conformal": metrics["split_conformal"]}
    rows = [
        {"intervals": name, "coverage": kind["coverage"], "width": kind["mean_relative_width"], "sales": kind["n"]}
        for name, kind in kinds.items()
    ]
    return table(pd.DataFrame(rows), {"coverage": "percent", "width": "percent"}, {"width": "Mean width"})


def coverage_charts(metrics: Mapping[str, Any]) -> Html:
    """Charts of coverage with its 95 % interval, one for each kind of group."""
    level, charted = metrics["intervals"]["level"], []
    for kind, groups in _groups_by_kind(metrics).items():
        intervals = groups[["low", "high"]].to_numpy()
        charted.append(
            charts.bars(groups["value"], groups["coverage"], f"Interval coverage by {kind}", intervals, level)
        )
    return figures(*charted)


def coverage_tables(metrics: Mapping[str, Any]) -> Html:
    """Tables of sales, coverage with its 95 % interval and mean width, one for each kind of group.

    Locations are sorted by coverage, lowest first.
    """
    tables = []
    for kind, groups in _groups_by_kind(metrics).items():
        if kind == KINDS["location"]:
            groups = groups.sort_values(["coverage", "value"])
        groups = groups[["value", "n", "coverage", "low", "high", "width"]]
        headings = {"value": kind.capitalize(), "n": "Sales", "low": "from", "high": "to"}
        tables.append(table(groups, dict.fromkeys(["coverage", "low", "high", "width"], "percent"), headings))
    return figures(*tables)


def coverage_without_shifted_locations(metrics: Mapping[str, Any]) -> Html:
    """Interval coverage without the locations whose prices left the city's trend."""
    steady = metrics["steady"]
    if not steady["without"]:
        return Html("<p>No location left the city's price trend.</p>")
    names = escape(summary_sentences.listed(steady["without"]))
    without, total = (text(study["intervals"]["coverage"], "percent") for study in (steady, metrics))
    sentences = f"Without {names}, {without} of prices lie within their interval. With all locations, {total} do."
    return Html(f"<p>{sentences}</p>" + interval_table(steady) + verdict_table(steady["verdicts"]))


def _groups_by_kind(metrics: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The groups by the title of their kind, without kinds that have none."""
    coverage = metrics["coverage"]
    return {title: pd.DataFrame(coverage[kind]) for kind, title in KINDS.items() if coverage[kind]}
