"""Stage `validate`: sales that keep the contract go on, the others into quarantine with their reasons, all counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Validate
from homei.quality.contracts import breaches
from homei.quality.parse import parse
from homei.quality.places import JudgedPlaces, judge_places
from homei.quality.quality_report import quality_page
from homei.source import CANONICAL, TABLES, Source

REPORTS = Path("reports/quality")
ORIGIN = ["source_feed", "source_file", "source_line"]


class QualityError(RuntimeError):
    """A source of which too little can be believed to go on."""


class Judged(NamedTuple):
    """The sales that keep the contract, those that don't with their `reasons`, and each reason against each row."""

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    breaches: pd.DataFrame


def run(source: Source, validate: Validate) -> None:
    """Write the valid sales and places, the quarantine, and reports/quality/.

    Raises QualityError, after writing what was rejected and why, where more than `max_rejected_share` of the sales are.
    """
    raw = {table: lake.read_texts(lake.RAW[table]) for table in TABLES}
    judged = {table: judge(rows, source, table) for table, rows in raw.items()}
    sales, places = judged["sales"], judge_places(lake.read(lake.RAW["places"]), source)
    quality = summary(raw["sales"], sales, places, source, validate)
    quality["tables"] = [counts for table in TABLES for counts in counts_by_feed(table, raw[table], judged[table])]
    set_aside = [
        lake.typed(rows.quarantined.assign(source_table=table)) for table, rows in {**judged, "places": places}.items()
    ]
    lake.write(pd.concat(set_aside, ignore_index=True), lake.QUARANTINE)
    lake.write_json(quality, REPORTS / "quality.json")
    lake.write_text(quality_page(quality, sales.quarantined, source), REPORTS / "quality.html")
    stop_if_too_few(quality)
    for table, target in lake.VALID.items():
        lake.write(judged[table].valid, target)
    lake.write(places.valid, lake.VALID_PLACES)


def judge(raw: pd.DataFrame, source: Source, table: str = "sales") -> Judged:
    """Every raw record once, in raw order: typed among the valid ones, or as it came in quarantine.

    Valid indicators have months such as "2024-05", and with `known_from` the first month in which they were known.
    """
    parsed = parse(raw, source, table)
    found = breaches(raw, parsed, source, table)
    rejected = np.zeros(len(raw), dtype=bool)
    rejected[found["row"]] = True
    reasons = found.groupby("row")["reason"].agg("; ".join)
    quarantined = raw[rejected].drop(columns="source_fault").assign(reasons=reasons.to_numpy(dtype=object))
    typed = parsed.columns[~rejected].join(raw[ORIGIN])
    if table == "indicators":
        typed = with_months(typed, source)
    return Judged(lake.typed(typed).reset_index(drop=True), quarantined.reset_index(drop=True), found)


def with_months(indicators: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Indicators with `month` as text and `known_from`, the month in which the feed's lag lets the value be known."""
    lags = {feed.name: feed.lag_months for feed in source.indicators}
    month = indicators["month"].to_numpy().astype("datetime64[M]")
    known = month + indicators["source_feed"].map(lags).to_numpy(np.int64)
    told = indicators.assign(month=month.astype(str).astype(object), known_from=known.astype(str).astype(object))
    return told[["series", "month", "value", "known_from", *ORIGIN]]


def counts_by_feed(table: str, raw: pd.DataFrame, judged: Judged) -> list[dict[str, Any]]:
    """How many records came from each feed of a table, and how many of them were rejected."""
    rejected = judged.quarantined["source_feed"].value_counts()
    return [
        {"table": table, "feed": feed, "rows": int(rows), "rejected": int(rejected.get(feed, 0))}
        for feed, rows in raw["source_feed"].value_counts(sort=False).items()
    ]


def summary(
    raw: pd.DataFrame, sales: Judged, places: JudgedPlaces, source: Source, validate: Validate
) -> dict[str, Any]:
    """quality.json: how many rows came, went on and stayed behind, by reason, file and column; shares as fractions."""
    rows, rejected = len(raw), len(sales.quarantined)
    share, limit = _share(rejected, rows), validate.max_rejected_share
    counts = sales.breaches.groupby("kind")["row"].nunique().reset_index(name="rows")
    counts = counts.sort_values(["rows", "kind"], ascending=[False, True])
    by_file = raw.groupby("source_file").size()
    rejected_by_file = sales.quarantined.groupby("source_file").size().reindex(by_file.index, fill_value=0)
    present = {name: int(raw[name].notna().sum()) if name in raw else 0 for name in _columns(source)}
    return {
        "rows": rows,
        "valid": rows - rejected,
        "rejected": rejected,
        "share": share,
        "limit": limit,
        "ok": rows > rejected and share <= limit,
        "reasons": [
            {"reason": kind, "rows": int(count), "share": _share(count, rows)} for kind, count in counts.to_numpy()
        ],
        "files": [
            {"file": file, "rows": int(total), "rejected": int(rejected_by_file[file])}
            for file, total in by_file.items()
        ],
        "columns": [{"column": name, "present": _share(count, rows)} for name, count in present.items()],
        "places": places.counts,
    }


def stop_if_too_few(quality: dict[str, Any]) -> None:
    """Raises QualityError where `quality` (as in quality.json) is not ok."""
    if quality["ok"]:
        return
    if not quality["rows"]:
        raise QualityError("the source has no sales at all: its files hold a header and nothing else")
    reasons = "; ".join(f"{item['reason']} ({item['rows']:,} rows)" for item in quality["reasons"][:3])
    raise QualityError(
        f"{quality['rejected']:,} of {quality['rows']:,} sales ({quality['share']:.1%}) break the contract, more than "
        f"validate.max_rejected_share = {quality['limit']:g} allows. Most often: {reasons}. "
        f"The rows are in {lake.QUARANTINE}, the picture in {REPORTS / 'quality.html'}"
    )


def _columns(source: Source) -> list[str]:
    return [*CANONICAL, *source.numeric, *source.categorical]


def _share(part: int, whole: int) -> float:
    return round(float(part) / whole, 6) if whole else 0.0
