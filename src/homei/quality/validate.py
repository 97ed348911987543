"""Stage `validate`: sales that keep the contract go on, the others into quarantine with their reasons, all counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from homei import lake
from homei.config import Validate
from homei.source import CANONICAL, Source
from homei.quality.contracts import breaches
from homei.quality.parse import TEXTS, parse
from homei.quality.places import JudgedPlaces, judge_places
from homei.quality.quality_report import quality_page

REPORTS = Path("reports/quality")
ORIGIN = ["source_file", "source_line"]
# An all-null column would otherwise have no type at all.
TEXT, DATE = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.date32())


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
    raw = lake.read(lake.RAW_SALES)
    sales, places = judge(raw, source), judge_places(lake.read(lake.RAW_PLACES), source)
    quality = summary(raw, sales, places, source, validate)
    quarantine = pd.concat([sales.quarantined, places.quarantined], ignore_index=True)
    lake.write(quarantine.astype(dict.fromkeys(quarantine.columns.drop("source_line"), TEXT)), lake.QUARANTINE)
    lake.write_json(quality, REPORTS / "quality.json")
    lake.write_text(quality_page(quality, sales.quarantined, source), REPORTS / "quality.html")
    stop_if_too_few(quality)
    lake.write(sales.valid, lake.VALID_SALES)
    lake.write(places.valid, lake.VALID_PLACES)


def judge(raw: pd.DataFrame, source: Source) -> Judged:
    """Every raw sale once, in raw order: typed among the valid ones, or as it came in quarantine."""
    parsed = parse(raw, source.sales)
    found = breaches(raw, parsed, source)
    rejected = np.zeros(len(raw), dtype=bool)
    rejected[found["row"]] = True
    reasons = found.groupby("row")["reason"].agg("; ".join)
    quarantined = raw[rejected].drop(columns="source_fault").assign(reasons=reasons.to_numpy(dtype=object))
    typed = parsed.columns.assign(sale_date=parsed.columns["sale_date"].dt.date).join(raw[ORIGIN])
    texts = [*TEXTS, *source.categorical, "source_file"]
    valid = typed[~rejected].astype({"sale_date": DATE, **dict.fromkeys(texts, TEXT)})
    return Judged(valid.reset_index(drop=True), quarantined.reset_index(drop=True), found)


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
