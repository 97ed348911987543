"""Stage `validate`: valid records with types, rejected ones in quarantine with their reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.city import CANONICAL, CityConfig, ContractConfig
from homei.config.feeds import TABLES, FeedsConfig, Source
from homei.storage import lake
from homei.validation.config import ValidateConfig
from homei.validation.contracts import breaches
from homei.validation.parsing import parse
from homei.validation.place_checks import ValidatedPlaces, validate_places

REPORTS = Path("reports/quality")
ORIGIN = ["source_feed", "source_file", "source_line"]


class QualityError(RuntimeError):
    """A source with too many rejected sales, or with none at all."""


class Validated(NamedTuple):
    """Valid records, rejected ones with their `reasons`, and one row for each reason of each record."""

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    breaches: pd.DataFrame


def run(city: CityConfig, feeds: FeedsConfig, contract: ContractConfig, validate: ValidateConfig) -> None:
    """Writes the valid tables, the quarantine and reports/quality/quality.json.

    Raises QualityError, after writing quarantine and reports, if more than `max_rejected_share` of the sales are
    rejected.
    """
    source = Source(city, feeds, contract)
    raw = {table: lake.read_text_columns(lake.RAW[table]) for table in TABLES}
    validated = {table: validate_records(rows, source, table) for table, rows in raw.items()}
    sales, places = validated["sales"], validate_places(lake.read(lake.RAW["places"]), source)
    quality = summary(raw["sales"], sales, places, source, validate)
    quality["tables"] = [counts for table in TABLES for counts in counts_by_feed(table, raw[table], validated[table])]
    rejected = [
        lake.typed(rows.quarantined.assign(source_table=table))
        for table, rows in {**validated, "places": places}.items()
    ]
    lake.write(pd.concat(rejected, ignore_index=True), lake.QUARANTINE)
    lake.write_json(quality, REPORTS / "quality.json")
    check_quality(quality)
    for table, target in lake.VALID.items():
        lake.write(validated[table].valid, target)
    lake.write(places.valid, lake.VALID_PLACES)


def validate_records(raw: pd.DataFrame, source: Source, table: str = "sales") -> Validated:
    """Each raw record once, in raw order: typed if it is valid, unchanged in quarantine if it is not."""
    parsed = parse(raw, source, table)
    reasons = breaches(raw, parsed, source, table)
    is_rejected = np.zeros(len(raw), dtype=bool)
    is_rejected[reasons["row"]] = True
    joined = reasons.groupby("row")["reason"].agg("; ".join)
    quarantined = raw[is_rejected].drop(columns="source_fault").assign(reasons=joined.to_numpy(dtype=object))
    typed = parsed.columns[~is_rejected].join(raw[ORIGIN])
    if table == "indicators":
        typed = with_months(typed, source)
    return Validated(lake.typed(typed).reset_index(drop=True), quarantined.reset_index(drop=True), reasons)


def with_months(indicators: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Indicators with `month` and `known_from`, the month of publication, as texts ("2024-05")."""
    lags = {feed.name: feed.lag_months for feed in source.feeds.indicators}
    month = indicators["month"].to_numpy().astype("datetime64[M]")
    published = month + indicators["source_feed"].map(lags).to_numpy(np.int64)
    texts = {"month": month.astype(str).astype(object), "known_from": published.astype(str).astype(object)}
    return indicators.assign(**texts)[["series", "month", "value", "known_from", *ORIGIN]]


def counts_by_feed(table: str, raw: pd.DataFrame, validated: Validated) -> list[dict[str, Any]]:
    """The numbers of received and rejected records of each feed of a table."""
    rejected = validated.quarantined["source_feed"].value_counts()
    return [
        {"table": table, "feed": feed, "rows": int(rows), "rejected": int(rejected.get(feed, 0))}
        for feed, rows in raw["source_feed"].value_counts(sort=False).items()
    ]


def summary(
    raw: pd.DataFrame, sales: Validated, places: ValidatedPlaces, source: Source, validate: ValidateConfig
) -> dict[str, Any]:
    """The content of quality.json: sales by result, reason, file and column; shares as fractions."""
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


def check_quality(quality: dict[str, Any]) -> None:
    """Raises QualityError if `quality`, the content of quality.json, is not ok."""
    if quality["ok"]:
        return
    if not quality["rows"]:
        raise QualityError("the source has no sales: check that its files have rows below the header")
    reasons = "; ".join(f"{item['reason']} ({item['rows']:,} rows)" for item in quality["reasons"][:3])
    raise QualityError(
        f"{quality['rejected']:,} of {quality['rows']:,} sales ({quality['share']:.1%}) break the contract, more than "
        f"validate.max_rejected_share = {quality['limit']:g} allows. Most frequent reasons: {reasons}. "
        f"The rows are in {lake.QUARANTINE}; `homei render quality` writes {REPORTS / 'quality.html'}"
    )


def _columns(source: Source) -> list[str]:
    return [*CANONICAL, *source.city.attributes.names]


def _share(part: int, whole: int) -> float:
    return round(float(part) / whole, 6) if whole else 0.0
