"""`homei lineage`: the raw records behind a row of the lake, and the stages and parameters that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from homei import lake
from homei.source import Feed, LivingFeed, Source
from homei.sources.landing import RECORDS, folder_of

# By table: its folder, what its rows are known by, and the resolved or valid tables that it is made of.
SALES, LISTINGS = ("sales", lake.RESOLVED_SALES), ("listings", lake.RESOLVED_LISTINGS)
MERGED, CUSTOMERS, LEADS = (
    ("sales", lake.MERGED_SALES),
    ("customers", lake.VALID_CUSTOMERS),
    ("leads", lake.VALID_LEADS),
)
TABLES: dict[str, tuple[Path, str, tuple[tuple[str, Path], ...]]] = {
    "property_analytics": (lake.PROPERTY_ANALYTICS, "property_id", (SALES, MERGED, LISTINGS)),
    "customer_analytics": (lake.CUSTOMER_ANALYTICS, "customer_id", (CUSTOMERS, LEADS)),
    "properties": (lake.RESOLVED_PROPERTIES, "property_id", (SALES, MERGED, LISTINGS)),
    "sales": (lake.RESOLVED_SALES, "transaction_id", (SALES, MERGED)),
    "listings": (lake.RESOLVED_LISTINGS, "listing_id", (LISTINGS,)),
    "customers": (lake.VALID_CUSTOMERS, "customer_id", (CUSTOMERS, LEADS)),
}


class LineageError(ValueError):
    """A table or a row that there is not."""


class Origin(NamedTuple):
    """A raw record: where it came from, its row there, the hash of all that it said, and when it said so."""

    table: str
    feed: str
    came_from: str  # the file, or the address as it is declared
    row: int
    sha256: str
    time: str  # when its source last changed it, or the day as of which its file was read


def origins(source: Source, table: str, identity: str) -> list[Origin]:
    """The raw records behind one row; raises LineageError where there is no such table or row."""
    if table not in TABLES:
        raise LineageError(f"{table}: no such table; it is one of {', '.join(TABLES)}")
    folder, key, parts = TABLES[table]
    rows = [(name, found) for name, path in parts if not (found := _about(path, key, identity)).empty]
    if not rows:
        raise LineageError(f"{folder} has no row whose {key} is {identity!r}")
    return [_origin(source, name, row) for name, found in rows for row in found.to_dict("records")]


def makers(table: str, graph: Path = Path("dvc.lock")) -> Iterator[tuple[str, str, list[str]]]:
    """The stages that made a table, each after all that used it: name, command, and the sections of parameters read."""
    stages = yaml.safe_load(graph.read_text(encoding="utf-8"))["stages"]

    def makers_of(path: str) -> list[str]:
        return [
            name for name, stage in stages.items() if any(_overlap(path, out["path"]) for out in stage.get("outs", []))
        ]

    behind: dict[str, list[str]] = {}
    waiting = makers_of(TABLES[table][0].as_posix())
    while waiting:
        name = waiting.pop()
        if name not in behind:
            read = [dep["path"] for dep in stages[name].get("deps", []) if dep["path"].startswith("data/")]
            behind[name] = [maker for path in read for maker in makers_of(path)]
            waiting += behind[name]
    for name in reversed(list(TopologicalSorter(behind).static_order())):
        yield name, stages[name]["cmd"], sorted(stages[name].get("params", {}).get("params.yaml", {}))


def told(found: list[Origin], stages: Iterator[tuple[str, str, list[str]]]) -> str:
    """Records and stages as text to read."""
    lines = ["records:"]
    for record in found:
        lines += [
            f"  {record.table} · {record.feed} · row {record.row} of {record.came_from}",
            f"    {record.time} · sha256 {record.sha256}",
        ]
    lines.append("made by, the last one first:")
    lines += [
        f"  {name}: {command}, with {', '.join(sections) or 'no parameters'}" for name, command, sections in stages
    ]
    return "\n".join(lines)


def _about(path: Path, key: str, identity: str) -> pd.DataFrame:
    rows = lake.read(path)
    # A sale that was merged is behind the one that it was merged into.
    names = [name for name in (key, "merged_into" if key == "transaction_id" else key) if name in rows.columns]
    return rows[(rows[names] == identity).any(axis=1)]


def _origin(source: Source, table: str, row: dict[str, Any]) -> Origin:
    feed: Feed = next(feed for feed in getattr(source, table) if feed.name == row["source_feed"])
    line = int(row["source_line"])
    if isinstance(feed, LivingFeed):
        record = lake.read_arrow(folder_of(source, table, feed) / RECORDS).slice(line - 1, 1).to_pylist()[0]
        time = record.get(feed.changed or "") or f"as of {source.as_of}"
        return Origin(table, feed.name, feed.came_from(), line, _sha256(record), f"changed {time}")
    raw = lake.read(lake.RAW[table])
    said = raw[(raw["source_file"] == row["source_file"]) & (raw["source_line"] == line)].iloc[0].dropna().to_dict()
    return Origin(table, feed.name, row["source_file"], line, _sha256(said), f"as of {source.as_of}")


def _sha256(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _overlap(one: str, other: str) -> bool:
    """Whether one path is the other, or lies in it."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
