"""`homei lineage`: the raw records behind a row of the lake, and the stages that it comes from."""

from __future__ import annotations

import functools
import hashlib
import json
import operator
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.compute as pc
import pyarrow.dataset as ds
import yaml

from homei.config.feeds import Feed, Source
from homei.ingestion.feeds import IncrementalFeed
from homei.ingestion.landing import RECORDS, folder_of
from homei.storage import lake
from homei.storage.snapshots import Receipt, read_receipt

# By table: its folder, its key column, and the resolved or valid tables that it is made of.
SALES, LISTINGS = ("sales", lake.RESOLVED_SALES), ("listings", lake.RESOLVED_LISTINGS)
MERGED, CUSTOMERS, LEADS = (
    ("sales", lake.MERGED_SALES),
    ("customers", lake.VALID["customers"]),
    ("leads", lake.VALID["leads"]),
)
TABLES: dict[str, tuple[Path, str, tuple[tuple[str, Path], ...]]] = {
    "property_analytics": (lake.PROPERTY_ANALYTICS, "property_id", (SALES, MERGED, LISTINGS)),
    "customer_analytics": (lake.CUSTOMER_ANALYTICS, "customer_id", (CUSTOMERS, LEADS)),
    "properties": (lake.RESOLVED_PROPERTIES, "property_id", (SALES, MERGED, LISTINGS)),
    "sales": (lake.RESOLVED_SALES, "transaction_id", (SALES, MERGED)),
    "listings": (lake.RESOLVED_LISTINGS, "listing_id", (LISTINGS,)),
    "customers": (lake.VALID["customers"], "customer_id", (CUSTOMERS, LEADS)),
}


class LineageError(ValueError):
    """A table or row that does not exist."""


class Origin(NamedTuple):
    """A raw record: its feed, file or address, row, hash and time of change."""

    table: str
    feed: str
    came_from: str  # a file, or an address as declared
    row: int
    sha256: str
    time: str  # of its last change, or the day as of which its file was read


def origins(source: Source, table: str, identity: str) -> list[Origin]:
    """The raw records behind one row; raises LineageError where there is no such table or row."""
    if table not in TABLES:
        raise LineageError(f"{table}: there is no such table; choose one of {', '.join(TABLES)}")
    folder, key, parts = TABLES[table]
    rows = [(name, matches) for name, path in parts if not (matches := _about(path, key, identity)).empty]
    if not rows:
        raise LineageError(f"{folder} has no row whose {key} is {identity!r}")
    return [_origin(source, name, row) for name, matches in rows for row in matches.to_dict("records")]


def stages_behind(table: str, lock: Path = Path("dvc.lock")) -> Iterator[tuple[str, str, list[str]]]:
    """The stages that a table comes from, the last one first: name, command and parameters."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]

    def writers_of(path: str) -> list[str]:
        return [
            name for name, stage in stages.items() if any(_overlap(path, out["path"]) for out in stage.get("outs", []))
        ]

    behind: dict[str, list[str]] = {}
    waiting = writers_of(TABLES[table][0].as_posix())
    while waiting:
        name = waiting.pop()
        if name not in behind:
            read = [dep["path"] for dep in stages[name].get("deps", []) if dep["path"].startswith("data/")]
            behind[name] = [writer for path in read for writer in writers_of(path)]
            waiting += behind[name]
    for name in reversed(list(TopologicalSorter(behind).static_order())):
        yield name, stages[name]["cmd"], sorted(stages[name].get("params", {}).get("params.yaml", {}))


def snapshot_of(table: str) -> Receipt | None:
    """The receipt of a table that is in an external lake; raises MissingTableError."""
    return read_receipt(TABLES[table][0])


def format_lineage(
    records: list[Origin], stages: Iterator[tuple[str, str, list[str]]], snapshot: Receipt | None = None
) -> str:
    """Snapshot, records and stages as lines of text."""
    lines = []
    if snapshot is not None:
        lines += [f"snapshot: {snapshot.manifest_uri}", f"  {snapshot.rows} rows · digest {snapshot.digest}"]
    lines.append("records:")
    for record in records:
        lines += [
            f"  {record.table} · {record.feed} · row {record.row} of {record.came_from}",
            f"    {record.time} · sha256 {record.sha256}",
        ]
    lines.append("made by, the last one first:")
    lines += [
        f"  {name}: {command}, with {', '.join(parameters) or 'no parameters'}" for name, command, parameters in stages
    ]
    return "\n".join(lines)


def _about(path: Path, key: str, identity: str) -> pd.DataFrame:
    rows = lake.scan(path)
    # A sale that was merged into another one belongs to that one.
    names = [name for name in (key, "merged_into" if key == "transaction_id" else key) if name in rows.schema.names]
    return _matching(rows, functools.reduce(operator.or_, (pc.field(name) == identity for name in names)))


def _matching(rows: ds.Dataset, condition: pc.Expression) -> pd.DataFrame:
    """The rows that meet a condition; the others are not held in memory."""
    return rows.to_table(filter=condition).to_pandas(date_as_object=False)


def _origin(source: Source, table: str, row: dict[str, Any]) -> Origin:
    feed: Feed = next(feed for feed in source.of(table) if feed.name == row["source_feed"])
    line = int(row["source_line"])
    if isinstance(feed, IncrementalFeed):
        record = lake.read_arrow(folder_of(source.city, table, feed) / RECORDS).slice(line - 1, 1).to_pylist()[0]
        time = record.get(feed.changed or "") or f"as of {source.city.as_of}"
        return Origin(table, feed.name, feed.came_from(), line, _sha256(record), f"changed {time}")
    is_record = (pc.field("source_file") == row["source_file"]) & (pc.field("source_line") == line)
    record = _matching(lake.scan(lake.RAW[table]), is_record).iloc[0].dropna().to_dict()
    return Origin(table, feed.name, row["source_file"], line, _sha256(record), f"as of {source.city.as_of}")


def _sha256(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _overlap(one: str, other: str) -> bool:
    """Whether the paths are equal or one contains the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
