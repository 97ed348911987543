"""What intervals hold, as tables and pictures: beside plain ones, by group, and where prices kept pace."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from homei.report import charts, findings
from homei.report.formats import text
from homei.report.page import Html, figures, table

KINDS = {
    "month": "month",
    "worth_decile": "tenth of worth",
    "valued_decile": "tenth of value",
    "location": "district",
}


def study(found: Mapping[str, Any]) -> Html:
    """All that a coverage study found: the widths beside plain ones, and each kind of group, in pictures and tables."""
    return Html(interval_table(found) + coverage_pictures(found) + coverage_tables(found))


def interval_table(study: Mapping[str, Any]) -> Html:
    """The system's intervals beside plain split-conformal ones on the same sales."""
    kinds = {"The system": study["intervals"], "Plain split-conformal": study["split_conformal"]}
    rows = [
        {"intervals": name, "coverage": found["coverage"], "width": found["mean_relative_width"], "sales": found["n"]}
        for name, found in kinds.items()
    ]
    return table(pd.DataFrame(rows), {"coverage": "percent", "width": "percent"}, {"width": "Mean width"})


def coverage_pictures(study: Mapping[str, Any]) -> Html:
    """The share of prices inside their interval with its 95 % interval, a picture for each kind of group."""
    level = study["intervals"]["level"]
    return figures(
        *(
            charts.bars(
                groups["value"],
                groups["coverage"],
                f"Prices inside their interval by {title}",
                groups[["low", "high"]].to_numpy(),
                level,
            )
            for title, groups in _by_kind(study).items()
        )
    )


def coverage_tables(study: Mapping[str, Any]) -> Html:
    """A row a group: sales, coverage with its 95 % interval, mean width; the least covered districts come first."""
    parts = []
    for title, groups in _by_kind(study).items():
        if title == KINDS["location"]:
            groups = groups.sort_values(["coverage", "value"])
        groups = groups[["value", "n", "coverage", "low", "high", "width"]]
        headings = {"value": title.capitalize(), "n": "Sales", "low": "from", "high": "to"}
        parts.append(table(groups, dict.fromkeys(["coverage", "low", "high", "width"], "percent"), headings))
    return figures(*parts)


def steady(metrics: Mapping[str, Any]) -> Html:
    """What the intervals hold outside the districts that left the city's price level; else that none did."""
    kept = metrics["steady"]
    if not kept["without"]:
        return Html("<p>Prices kept the city's pace in every district: nothing is to be told apart.</p>")
    shares = [text(found["intervals"]["coverage"], "percent") for found in (kept, metrics)]
    names = escape(findings.listed(kept["without"]))
    said = f"<p>Without {names}, {shares[0]} of prices lie within their interval; with all, {shares[1]}.</p>"
    verdicts = table(
        findings.verdict_table(kept["verdicts"]), {"verdict": "verdict"}, {"interval": "95\u202f% interval"}
    )
    return Html(said + interval_table(kept) + verdicts)


def _by_kind(study: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The groups of each kind that has any, by the kind's title."""
    return {title: pd.DataFrame(study["coverage"][kind]) for kind, title in KINDS.items() if study["coverage"][kind]}
