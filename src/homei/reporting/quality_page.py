"""Stage `render_quality`: the data-quality report on received, rejected and valid sales."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CityConfig
from homei.reporting.charts import bars
from homei.reporting.html_page import cards, figure, figures, page, table
from homei.reporting.number_formats import text
from homei.storage import lake

REPORTS = Path("reports/quality")
N_EXAMPLES = 3  # rows of each reason
COLUMNS = ["source_file", "source_line", "sale_date", "price", "square_meters", "property_type", "location", "reasons"]


def run(city: CityConfig) -> None:
    """Writes reports/quality/quality.html."""
    quarantine = lake.read(lake.QUARANTINE)
    sales = quarantine[quarantine["source_table"] == "sales"].reset_index(drop=True)
    lake.write_text(quality_page(lake.read_json(REPORTS / "quality.json"), sales, city), REPORTS / "quality.html")


def quality_page(quality: Mapping[str, Any], quarantine: pd.DataFrame, city: CityConfig) -> str:
    """The content of quality.json and examples of the quarantined sales as an HTML page."""
    sections = [
        _headline(quality),
        _reasons(quality),
        _feeds(quality),
        _files(quality),
        _points_of_interest(quality),
        _examples(quality, quarantine),
    ]
    return page("Data quality", "\n".join(sections), f"{city.title} · as of {city.as_of}")


def _headline(quality: Mapping[str, Any]) -> str:
    first = quality["reasons"][0] if quality["reasons"] else {"reason": "no sale was rejected", "rows": 0}
    n_files = len(quality["files"])
    rejected = f"{text(quality['rejected'])} rows, at most {text(quality['limit'], 'percent0')} allowed"
    items = [
        ("Sales received", text(quality["rows"]), f"in {n_files} file{'s' * (n_files != 1)}", None),
        ("Valid sales", text(quality["valid"]), "used for features", None),
        ("Rejected", text(quality["share"], "percent2"), rejected, quality["ok"]),
        ("Most frequent reason", text(first["rows"]), first["reason"], None),
    ]
    return cards([{"label": title, "value": value, "note": note, "ok": ok} for title, value, note, ok in items])


def _reasons(quality: Mapping[str, Any]) -> str:
    if not quality["reasons"]:
        return "<h2>Rejected sales by reason</h2><p>None: every sale meets the contract.</p>"
    reasons = pd.DataFrame(quality["reasons"])
    chart = bars(reasons["reason"], reasons["rows"], "Rejected sales by reason", formats="number")
    caption = "A sale that violates several rules of the contract counts under each reason."
    content = figures(figure(chart, caption), table(reasons, {"share": "percent2"}))
    return f"<h2>Rejected sales by reason</h2>{content}"


def _feeds(quality: Mapping[str, Any]) -> str:
    if len(quality["tables"]) < 2:
        return ""
    feeds = pd.DataFrame(quality["tables"])
    feeds["share"] = feeds["rejected"] / feeds["rows"]
    return f"<h2>Feeds</h2>{table(feeds, {'share': 'percent2'})}"


def _files(quality: Mapping[str, Any]) -> str:
    files = pd.DataFrame(quality["files"], columns=["file", "rows", "rejected"])
    columns = pd.DataFrame(quality["columns"], columns=["column", "present"])
    return (
        "<h2>Files and columns</h2><p>The received files, and the share of sales in which each column has a value. "
        "The source does not have a column whose share is zero.</p>"
        f"{figures(table(files), table(columns, {'present': 'percent'}))}"
    )


def _points_of_interest(quality: Mapping[str, Any]) -> str:
    if not quality["places"]:
        return ""
    return "<h2>Points of interest</h2>" + table(pd.DataFrame(quality["places"]))


def _examples(quality: Mapping[str, Any], quarantine: pd.DataFrame) -> str:
    if not quality["reasons"]:
        return ""
    examples = pd.concat([_with_reason(quarantine, item["reason"]).head(N_EXAMPLES) for item in quality["reasons"]])
    rows = examples[~examples.index.duplicated()].reindex(columns=COLUMNS).astype({"source_line": str})
    return (
        "<h2>Examples</h2><p>The first rejected rows of each reason, with source file and line. "
        "The quarantine, <code>data/processed/quarantine</code>, contains all rejected rows.</p>"
        f"{table(rows)}"
    )


def _with_reason(quarantine: pd.DataFrame, kind: str) -> pd.DataFrame:
    # A reason may continue with details, such as "duplicate: of line 17" or "row: …".
    prefix = "row: " if kind.startswith("row: ") else kind
    reasons = quarantine["reasons"].str.split("; ")
    return quarantine[[any(reason.startswith(prefix) for reason in row) for row in reasons]]
