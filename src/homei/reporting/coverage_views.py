"""Interval coverage as tables and charts: overall, by group and without shifted locations."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.accuracy_views import verdict_table
from homei.reporting.html_page import Html, figures, table
from homei.reporting.number_formats import listed, text

KINDS = {
    "month": "month",
    "worth_decile": "price decile",
    "valued_decile": "valuation decile",
    "location": "location",
}


def coverage_study(metrics: Mapping[str, Any]) -> Html:
    """Interval widths, and charts and tables of coverage with its 95 % interval by each kind of group.

    Locations are sorted by coverage in their table, lowest first.
    """
    level, charted, tables = metrics["intervals"]["level"], [], []
    for name, kind in KINDS.items():
        if not metrics["coverage"][name]:
            continue
        groups = pd.DataFrame(metrics["coverage"][name])
        title, intervals = f"Interval coverage by {kind}", groups[["low", "high"]].to_numpy()
        charted.append(charts.bars(groups["value"], groups["coverage"], title, intervals, level))
        if name == "location":
            groups = groups.sort_values(["coverage", "value"])
        headings = {"value": kind.capitalize(), "n": "Sales", "low": "From", "high": "To"}
        shares = ["coverage", "low", "high", "width"]
        tables.append(table(groups[["value", "n", *shares]], dict.fromkeys(shares, "percent"), headings))
    return Html(interval_table(metrics) + figures(*charted) + figures(*tables))


def interval_table(metrics: Mapping[str, Any]) -> Html:
    """Coverage and width of homei's intervals and of plain split-conformal intervals on the same sales."""
    studies = {"homei": metrics["intervals"], "Plain split-conformal": metrics["split_conformal"]}
    columns = {"coverage": "coverage", "mean_relative_width": "mean width", "n": "sales"}
    rows = pd.DataFrame(studies).T[list(columns)].rename(columns=columns).astype({"sales": int})
    return table(rows.rename_axis("intervals").reset_index(), {"coverage": "percent", "mean width": "percent"})


def coverage_without_shifted_locations(metrics: Mapping[str, Any]) -> Html:
    """Interval coverage without the locations whose prices left the city's trend."""
    steady = metrics["steady"]
    if not steady["without"]:
        return Html("<p>No location left the city's price trend.</p>")
    names = escape(listed(steady["without"]))
    without, total = (text(study["intervals"]["coverage"], "percent") for study in (steady, metrics))
    sentences = f"Without {names}, {without} of prices lie within their interval. With all locations, {total} do."
    return Html(f"<p>{sentences}</p>" + interval_table(steady) + verdict_table(steady["verdicts"]))
