"""Stage `render_quality`: the data-quality report on received, rejected and valid sales."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CityConfig
from homei.reporting.charts import bars
from homei.reporting.html_page import Card, Html, cards, figure, figures, page, render, table
from homei.reporting.number_formats import text
from homei.storage import lake

REPORTS = Path("reports/quality")
N_EXAMPLES = 3  # rows of each reason
COLUMNS = ["source_file", "source_line", "sale_date", "price", "square_meters", "property_type", "location", "reasons"]


def run(city: CityConfig) -> None:
    """Writes reports/quality/quality.html."""
    quarantine = lake.sample(lake.QUARANTINE, "source_line")
    sales = quarantine[quarantine["source_table"] == "sales"].reset_index(drop=True)
    lake.write_text(quality_page(lake.read_json(REPORTS / "quality.json"), sales, city), REPORTS / "quality.html")


def quality_page(quality: Mapping[str, Any], quarantine: pd.DataFrame, city: CityConfig) -> str:
    """The content of quality.json and examples of the quarantined sales as an HTML page."""
    files = pd.DataFrame(quality["files"], columns=["file", "rows", "rejected"])
    columns = pd.DataFrame(quality["columns"], columns=["column", "present"])
    body = render(
        "quality.html.j2",
        cards=_headline(quality),
        warnings=quality["warnings"],
        reasons=_reasons(quality["reasons"]),
        set_aside=_table_or_nothing(quality["set_aside_reasons"], {"share": "percent2"}),
        cells=_table_or_nothing(quality["cells"]),
        missing_texts=_table_or_nothing(quality["missing_texts"]),
        limits=_limits(quality["limits"]),
        feeds=_table_or_nothing(quality["tables"], {"share": "percent2", "limit": "percent0", "ok": "verdict"}),
        n_feeds=len(quality["tables"]),
        files=figures(table(files), table(columns, {"present": "percent"})),
        places=_table_or_nothing(quality["places"], {"share": "percent2", "ok": "verdict"}),
        examples=_examples(quality["reasons"], quarantine),
    )
    return page("Data quality", body, f"{city.title} · as of {city.as_of}")


def _headline(quality: Mapping[str, Any]) -> Html:
    first = quality["reasons"][0] if quality["reasons"] else {"reason": "no sale was rejected", "rows": 0}
    n_files = len(quality["files"])
    limit = f"{text(quality['rejected'])} rows, at most {text(quality['limit'], 'percent0')} allowed"
    return cards(
        Card("Sales received", text(quality["rows"]), f"in {n_files} file{'s' * (n_files != 1)}"),
        Card("Valid sales", text(quality["valid"]), "used for features"),
        Card("Rejected", text(quality["share"], "percent2"), limit, quality["ok"]),
        Card("Most frequent reason", text(first["rows"]), first["reason"]),
        *_freshness(quality["freshness"]),
    )


def _freshness(freshness: Mapping[str, Any] | None) -> list[Card]:
    if freshness is None:
        return []
    months = freshness["months"]
    note = f"{freshness['last_sale']}, {months} month{'s' * (months != 1)} before the as-of date"
    return [Card("Last sale", freshness["last_sale"][:7], note)]


def _table_or_nothing(rows: list[dict[str, Any]], formats: Mapping[str, str] | None = None) -> Html:
    return table(pd.DataFrame(rows), formats, {"ok": "Verdict"}) if rows else Html("")


def _limits(limits: list[dict[str, Any]]) -> Html:
    rows = [
        {
            "column": limit["column"],
            "lowest": _limit(limit["column"], limit["low"]) if limit["is_declared"] else "above 0",
            "highest": _limit(limit["column"], limit["high"]),
            "declared by": "contract.ranges" if limit["is_declared"] else "default",
        }
        for limit in limits
    ]
    return table(pd.DataFrame(rows))


def _limit(column: str, value: float) -> str:
    """A limit with thousands separators, except for a year."""
    return f"{value:.10g}" if column == "year_built" else f"{value:,.10g}"


def _reasons(reasons: list[dict[str, Any]]) -> Html:
    if not reasons:
        return Html("")
    rows = pd.DataFrame(reasons)
    chart = bars(rows["reason"], rows["rows"], "Rejected sales by reason", formats="number")
    caption = "A sale that violates several rules of the contract counts under each reason."
    return figures(figure(chart, caption), table(rows, {"share": "percent2"}))


def _examples(reasons: list[dict[str, Any]], quarantine: pd.DataFrame) -> Html:
    if not reasons:
        return Html("")
    rows = pd.concat([_with_reason(quarantine, item["reason"]).head(N_EXAMPLES) for item in reasons])
    return table(rows[~rows.index.duplicated()].reindex(columns=COLUMNS).astype({"source_line": str}))


def _with_reason(quarantine: pd.DataFrame, kind: str) -> pd.DataFrame:
    # A reason may continue with details, such as "duplicate: of line 17" or "row: …".
    prefix = "row: " if kind.startswith("row: ") else kind
    reasons = quarantine["reasons"].str.split("; ")
    return quarantine[[any(reason.startswith(prefix) for reason in row) for row in reasons]]
