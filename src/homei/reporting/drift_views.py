"""Drift as cards, tables and a picture: what drift.json holds, for those who decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Html, cards, table
from homei.reporting.number_formats import text

PLACE = ["location", "n", "change", "q", "valuation_error", "shifted"]
MOST = 12  # bars that a picture has room for


def headline(summary: Mapping[str, Any]) -> Html:
    """The verdict over all, and the three it is made of."""
    moved, drifted = summary["shifted_locations"], [column for column in summary["columns"] if column["drifted"]]
    since, before = (summary["regression"][period]["mdape"] for period in ("current", "reference"))
    return cards(
        [
            _card("Overall", "Drift" if summary["drifted"] else "No drift", _span(summary), summary["drifted"]),
            _card(
                "Locations whose prices moved",
                f"{len(moved)} of {len(summary['locations'])}",
                "apart from the city's",
                moved,
            ),
            _card(
                "Columns that drifted",
                f"{len(drifted)} of {len(summary['columns'])}",
                f"from {text(summary['limit'], 'percent0')} of them on, the whole counts as drifted",
                summary["drifted_share"] >= summary["limit"],
            ),
            {"label": "Median error", "value": text(since, "percent2"), "note": f"{text(before, 'percent2')} before"},
        ]
    )


def place_picture(summary: Mapping[str, Any]) -> charts.Picture:
    """The locations whose price level moved most, the largest fall first."""
    places = pd.DataFrame(summary["locations"], columns=PLACE)
    most = places.sort_values("change", key=abs, ascending=False, kind="stable")[:MOST].sort_values(
        "change", kind="stable"
    )
    return charts.bars(most["location"], most["change"], "Change of price levels against the city's", formats="change")


def place_table(summary: Mapping[str, Any]) -> Html:
    """Each location's change, how likely chance explains it, and how far off valuations were."""
    places = pd.DataFrame(summary["locations"], columns=PLACE)
    return table(
        places.assign(shifted=_words(places["shifted"], "shifted")),
        {"change": "change", "valuation_error": "change", "q": "decimal3"},
        {
            "n": "Sales since",
            "q": "Adjusted p-value",
            "valuation_error": "Median valuation error",
            "shifted": "Verdict",
        },
    )


def column_table(summary: Mapping[str, Any]) -> Html:
    """Each watched column's distance from before, and from where on it counts."""
    columns = pd.DataFrame(summary["columns"])
    return table(
        columns.assign(column=columns["column"].str.replace("_", " "), drifted=_words(columns["drifted"], "drifted")),
        {"score": "ratio", "threshold": "ratio"},
        {"score": "Distance", "threshold": "Drifted from", "drifted": "Verdict"},
    )


def _card(label: str, value: str, note: str, moved: Any) -> dict[str, Any]:
    return {
        "label": label, "value": value, "note": note, "ok": "watch" if moved else True,
        "word": "Look here" if moved else "Steady",
    }  # fmt: skip


def _span(summary: Mapping[str, Any]) -> str:
    since, before = (" to ".join(summary[period]["months"]) for period in ("current", "reference"))
    return f"{since} against {before}"


def _words(flags: pd.Series, word: str) -> pd.Series:
    return flags.map({True: word, False: "steady"})
