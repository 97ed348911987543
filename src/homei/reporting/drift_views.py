"""Drift as cards, tables and a chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Card, Html, cards, table
from homei.reporting.number_formats import label, text

LOCATION_COLUMNS = ["location", "n", "change", "q", "valuation_error", "shifted"]
MAX_BARS = 12


def headline(summary: Mapping[str, Any]) -> Html:
    """Cards: overall verdict, shifted locations, drifted columns, and median error of both periods."""
    shifted, columns = summary["shifted_locations"], summary["columns"]
    n_drifted = sum(column["drifted"] for column in columns)
    current, reference = (" to ".join(summary[period]["months"]) for period in ("current", "reference"))
    error, earlier = (text(summary["regression"][name]["mdape"], "percent2") for name in ("current", "reference"))
    limit = f"the columns count as drifted together from {text(summary['limit'], 'percent0')} on"
    has_drifted = summary["drifted_share"] >= summary["limit"]
    n_locations = len(summary["locations"])
    shifts = _card(
        "Locations whose prices moved", f"{len(shifted)} of {n_locations}", "apart from the city's", bool(shifted)
    )
    if not n_locations:
        shifts = Card("Locations whose prices moved", "–", "too few locations with enough sales to tell")
    return cards(
        _card("Overall", "Drift" if summary["drifted"] else "No drift", f"{current} against {reference}",
              summary["drifted"]),
        shifts,
        _card("Columns that drifted", f"{n_drifted} of {len(columns)}", limit, has_drifted),
        Card("Median error", error, f"{earlier} before"),
    )  # fmt: skip


def location_chart(summary: Mapping[str, Any]) -> charts.Picture | Html:
    """Bar chart of the locations whose price level moved most, the largest fall first.

    A sentence without any.
    """
    if not summary["locations"]:
        return Html("<p>There are too few locations with enough sales in both periods to tell.</p>")
    locations = pd.DataFrame(summary["locations"], columns=LOCATION_COLUMNS)
    largest = locations.sort_values("change", key=abs, ascending=False, kind="stable")[:MAX_BARS]
    largest = largest.sort_values("change", kind="stable")
    title = "Change of price levels against the city's"
    return charts.bars(largest["location"], largest["change"], title, formats="change")


def location_table(summary: Mapping[str, Any]) -> Html:
    """Each location's change with its adjusted p-value, and its median valuation error; empty without any."""
    if not summary["locations"]:
        return Html("")
    locations = pd.DataFrame(summary["locations"], columns=LOCATION_COLUMNS)
    headings = {"n": "Sales since", "q": "Adjusted p-value", "valuation_error": "Median valuation error"}
    return table(
        locations.assign(shifted=locations["shifted"].map({True: "shifted", False: "steady"})),
        {"change": "change", "valuation_error": "change", "q": "decimal3"},
        {**headings, "shifted": "Verdict"},
    )


def column_table(summary: Mapping[str, Any]) -> Html:
    """Each column's distance from the reference period, and the distance from which it counts as drifted."""
    columns = pd.DataFrame(summary["columns"])
    verdicts = columns["drifted"].map({True: "drifted", False: "steady"})
    headings = {"score": "Distance", "threshold": "Drifted from", "drifted": "Verdict"}
    rows = columns.assign(column=columns["column"].map(label), drifted=verdicts)
    return table(rows, {"score": "ratio", "threshold": "ratio"}, headings)


def _card(title: str, value: str, note: str, has_moved: bool) -> Card:
    return Card(title, value, note, "watch" if has_moved else True, "Look here" if has_moved else "Steady")
