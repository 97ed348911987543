"""The data-quality report: how much of what came can be believed, what was wrong with the rest, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.report.charts import bars
from homei.report.formats import text
from homei.report.page import cards, figure, figures, page, table
from homei.source import Source

EXAMPLES = 3  # of each reason; all rows are in the quarantine
SHOWN = ["source_file", "source_line", "sale_date", "price", "square_meters", "property_type", "location", "reasons"]


def quality_page(quality: Mapping[str, Any], quarantine: pd.DataFrame, source: Source) -> str:
    """The report as one HTML page, out of quality.json's values and the quarantined sales."""
    sections = [
        _headline(quality),
        _reasons(quality),
        _feeds(quality),
        _files(quality),
        _places(quality),
        _examples(quality, quarantine),
    ]
    return page("Data quality", "\n".join(sections), f"{source.title} · as of {source.as_of}")


def _headline(quality: Mapping[str, Any]) -> str:
    worst = quality["reasons"][0] if quality["reasons"] else {"reason": "nothing was wrong", "rows": 0}
    files = len(quality["files"])
    return cards(
        [
            {"label": "Sales received", "value": text(quality["rows"]), "note": f"in {files} file{'s' * (files != 1)}"},
            {"label": "Sales that keep the contract", "value": text(quality["valid"]), "note": "go on to the features"},
            {
                "label": "Rejected",
                "value": text(quality["share"], "percent2"),
                "note": f"{text(quality['rejected'])} rows, at most {text(quality['limit'], 'percent0')} allowed",
                "ok": quality["ok"],
            },
            {"label": "Most frequent fault", "value": text(worst["rows"]), "note": worst["reason"]},
        ]
    )


def _reasons(quality: Mapping[str, Any]) -> str:
    if not quality["reasons"]:
        return "<h2>Why sales were rejected</h2><p>None was: every row keeps the contract.</p>"
    frame = pd.DataFrame(quality["reasons"])
    picture = bars(frame["reason"], frame["rows"], "Rejected sales by reason", formats="number")
    caption = "A sale that breaks the contract in several ways counts under each of its reasons."
    return f"<h2>Why sales were rejected</h2>{figures(figure(picture, caption), table(frame, {'share': 'percent2'}))}"


def _feeds(quality: Mapping[str, Any]) -> str:
    if len(quality["tables"]) < 2:
        return ""
    frame = pd.DataFrame(quality["tables"])
    frame["share"] = frame["rejected"] / frame["rows"]
    return f"<h2>All feeds</h2>{table(frame, {'share': 'percent2'})}"


def _files(quality: Mapping[str, Any]) -> str:
    files = pd.DataFrame(quality["files"], columns=["file", "rows", "rejected"])
    columns = pd.DataFrame(quality["columns"], columns=["column", "present"])
    return (
        "<h2>What came</h2><p>The files, and the share of sales in which each column holds anything. "
        "A column at zero is one that the source does not have.</p>"
        f"{figures(table(files), table(columns, {'present': 'percent'}))}"
    )


def _places(quality: Mapping[str, Any]) -> str:
    if not quality["places"]:
        return ""
    return "<h2>Points of interest</h2>" + table(pd.DataFrame(quality["places"]))


def _examples(quality: Mapping[str, Any], quarantine: pd.DataFrame) -> str:
    if not quality["reasons"]:
        return ""
    first = pd.concat([_with_reason(quarantine, item["reason"]).head(EXAMPLES) for item in quality["reasons"]])
    rows = first[~first.index.duplicated()].reindex(columns=SHOWN).astype({"source_line": str})
    return (
        "<h2>Examples</h2><p>The first rows of each reason as they came, with their file and line. "
        "All of them are in the quarantine, <code>data/processed/quarantine</code>.</p>"
        f"{table(rows)}"
    )


def _with_reason(quarantine: pd.DataFrame, kind: str) -> pd.DataFrame:
    # Some reasons go on with details, as "duplicate: of line 17" does.
    return quarantine[[any(_is_of(reason, kind) for reason in row.split("; ")) for row in quarantine["reasons"]]]


def _is_of(reason: str, kind: str) -> bool:
    return reason.startswith("row: ") if kind.startswith("row: ") else reason.startswith(kind)
