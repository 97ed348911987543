"""Landings: the records of incremental feeds as last fetched, one row a key, the last version of each.

A landing is a folder that is replaced atomically: records.parquet (text columns under the feed's names, with `_key`,
sorted by it) and landed.json (how far the feed was read). Reading everything again gives the same bytes as reading
increment after increment, but for records that were deleted at their source: they stay, with the day in `_deleted`.
Replaced versions and replaced landings are archived.
"""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from homei.config.city import CityConfig
from homei.config.texts import is_rounded
from homei.ingestion.connectors.nested import flattened
from homei.ingestion.connectors.text_rows import SourceError, texts
from homei.ingestion.feeds import IncrementalFeed, Span
from homei.ingestion.mapping import missing_column, source_columns
from homei.ingestion.pseudonyms import pseudonymised
from homei.ingestion.record_versions import (
    DELETED,
    KEY,
    Counts,
    change_times,
    merge_versions,
    n_repeated,
    with_deletions,
)
from homei.storage import lake

RECORDS, STATE = "records.parquet", "landed.json"
RECORDS_TO_JUDGE = 20  # a column that none of so many records has is gone, not just empty by chance
DAY = datetime.timedelta(days=1)


def folder_of(city: CityConfig, table: str, feed: IncrementalFeed) -> Path:
    """The folder of a feed's landing."""
    return Path(city.folder) / "landing" / table / feed.name


def land(city: CityConfig, table: str, feed: IncrementalFeed, again: bool = False) -> Counts:
    """Reads a feed's changes up to the end of `city.as_of`, or all records (`again`), into its landing.

    Replaced versions are archived, one file an `as_of`. A landing that is read `again` is backed up first, as its
    source may have lost records. A record that is absent from a complete reading is marked as deleted. Raises
    SourceError if a mapped column is missing, most records are absent, or the landing is ahead of `as_of`; the landing
    then stays as it was.
    """
    with lake.locked(Path(city.folder) / "landing"):
        return _land(city, table, feed, again)


def _land(city: CityConfig, table: str, feed: IncrementalFeed, again: bool) -> Counts:
    folder, until = folder_of(city, table, feed), _end_of(city.as_of)
    landed = None if again else _records(folder)
    state = {"until": "", "watermark": None, "memory": {}} if landed is None else lake.read_json(folder / STATE)
    if state["until"] > city.as_of.isoformat():
        raise SourceError(_wrong_day(city, feed, folder, state))
    since, memory = None, dict(state["memory"])
    if state["watermark"] is not None:
        since = datetime.datetime.fromisoformat(state["watermark"]) - feed.overlap_days * DAY
    read = _read(feed, Span(since, until), memory)
    _check_columns(feed, read, landed)
    if n_twice := n_repeated(read):
        _warn(
            f"feed {feed.name}: {n_twice:,} records came twice within one reading, so that others may be missing: does "
            "the source keep an order between pages? Declare one, under `parameters` or in the query"
        )
    current, replaced, counts = merge_versions(landed, _changed_until(read, feed, until), feed.changed)
    if landed is not None and not n_twice:
        current, counts = _with_deletions(
            current, counts, feed.present_keys({*read[KEY].to_pylist()}, memory), feed, city
        )
    _archive(replaced, lake.HISTORICAL / city.name / table / feed.name / f"{city.as_of}.parquet")
    if again:
        _back_up(folder, lake.BACKUPS / city.name / table / feed.name)
    with lake.replacing(folder) as new:
        lake.write_arrow(current, new / RECORDS)
        lake.write_json(_state_of(current, feed, city.as_of, memory), new / STATE)
    return counts


def landed_records(city: CityConfig, table: str, feed: IncrementalFeed) -> pa.Table:
    """A feed's records as of `city.as_of`: text cells, null where empty, with `_key` and `_deleted`.

    Raises SourceError with the command to run if the feed was never fetched, or up to another day.
    """
    return lake.read_arrow(landed_file(city, table, feed))


def landed_file(city: CityConfig, table: str, feed: IncrementalFeed) -> Path:
    """The Parquet file of a feed's records as of `city.as_of`.

    Raises SourceError as `landed_records` does.
    """
    folder = folder_of(city, table, feed)
    lake.restore(folder)
    if not (folder / STATE).exists():
        raise SourceError(f"{folder}: feed {feed.name} was never fetched: run `homei fetch {city.name}`")
    if (state := lake.read_json(folder / STATE))["until"] != city.as_of.isoformat():
        raise SourceError(_wrong_day(city, feed, folder, state))
    return folder / RECORDS


def as_table(batch: pa.Table | list[Mapping[str, Any]]) -> pa.Table:
    """A batch as text columns: nested values under their path (`address.city`), lists as JSON."""
    if isinstance(batch, pa.Table):
        return batch
    records = [flattened(record) for record in batch]
    names = dict.fromkeys(name for record in records for name in record)
    return pa.table({name: texts([record.get(name) for record in records]) for name in names})


def _read(feed: IncrementalFeed, span: Span, memory: dict[str, str]) -> pa.Table:
    tables = []
    with tqdm(desc=f"feed {feed.name}", unit=" records", unit_scale=True, disable=None) as progress:
        for batch in feed.records(span, memory):
            rows = as_table(batch)
            if rows.num_rows:
                # Personal data is hashed before anything is written.
                tables.append(_with_key(pseudonymised(rows, feed), feed))
            progress.update(rows.num_rows)
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({KEY: pa.array([], pa.string())})


def _with_key(rows: pa.Table, feed: IncrementalFeed) -> pa.Table:
    if missing := [name for name in feed.key if name not in rows.column_names]:
        raise SourceError(missing_column(f"feed {feed.name}", missing[0], "key", rows.column_names))
    parts = [pc.fill_null(rows[name], "") for name in feed.key]
    keys = pc.binary_join_element_wise(*parts, "/")
    if pc.any(pc.equal(keys, "")).as_py():
        raise SourceError(f"feed {feed.name}: a record has no {'/'.join(feed.key)}: declare a key that all have")
    if rounded := next((key for key in keys.to_pylist() if is_rounded(key)), None):
        raise SourceError(
            f"feed {feed.name}: key = {rounded} is a rounded number, which several records may share: have the source "
            "send it as text, or declare another key"
        )
    return rows.append_column(KEY, keys)


def _check_columns(feed: IncrementalFeed, read: pa.Table, landed: pa.Table | None) -> None:
    """Raises SourceError if the feed has lost a mapped column, and reports new columns."""
    if not read.num_rows:
        return
    present = read.column_names
    pairs = [pair for name, column in feed.columns.items() for pair in source_columns(name, column)]
    pairs += [("changed", feed.changed)] if feed.changed else []
    errors = [missing_column(f"feed {feed.name}", part, name, present) for name, part in pairs if part not in present]
    if errors and (landed is None or read.num_rows >= RECORDS_TO_JUDGE):
        raise SourceError("\n".join(errors))
    for error in errors:
        _warn(f"{error}; it may be empty in these {read.num_rows} records")
    if landed is not None and (added := sorted(set(present) - set(landed.column_names))):
        _warn(f"feed {feed.name}: has new columns, which are stored: {', '.join(added)}")


def _with_deletions(
    current: pa.Table, counts: Counts, present: set[str] | None, feed: IncrementalFeed, city: CityConfig
) -> tuple[pa.Table, Counts]:
    """The records with marks of those that are no longer at the source.

    Raises SourceError if most are not.
    """
    if feed.absent == "kept":
        return current.select([name for name in current.column_names if name != DELETED]), counts
    if present is None:
        return current, counts
    marked, n_deleted = with_deletions(current, present, city.as_of)
    if n_deleted >= RECORDS_TO_JUDGE and n_deleted > counts.records / 2:
        raise SourceError(
            f"feed {feed.name}: {n_deleted:,} of {counts.records:,} landed records are absent from this reading. If "
            f"its source has deleted them, run `homei fetch {city.name} --again`; if it sends only a part of its "
            "records, declare `absent: kept`"
        )
    return marked, counts._replace(deleted=n_deleted)


def _changed_until(read: pa.Table, feed: IncrementalFeed, until: datetime.datetime) -> pa.Table:
    """The records without those that changed later, which a later fetch reads."""
    if feed.changed is None or feed.changed not in read.column_names:
        return read
    times = pc.unique(read[feed.changed])
    later = times.filter(pa.array((change_times(times) > until).to_numpy()))
    return read.filter(pc.invert(pc.is_in(read[feed.changed], later))) if len(later) else read


def _archive(replaced: pa.Table, file: Path) -> None:
    """Adds replaced versions to an archive file, once each: a killed fetch is repeated."""
    if not replaced.num_rows:
        return
    archived = [lake.read_arrow(file)] if file.exists() else []
    rows = pa.concat_tables([*archived, replaced], promote_options="default").to_pandas().drop_duplicates()
    lake.write_arrow(pa.Table.from_pandas(rows, preserve_index=False), file)


def _back_up(folder: Path, backups: Path) -> None:
    """Copies a landing to a folder named by the day that it was read up to, and its digest."""
    lake.restore(folder)
    if (folder / STATE).exists():
        name = f"{lake.read_json(folder / STATE)['until']}-{lake.digest(folder)[:12]}"
        with lake.replacing(backups / name) as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)


def _state_of(records: pa.Table, feed: IncrementalFeed, as_of: datetime.date, memory: Mapping[str, str]) -> dict:
    """The content of landed.json; `watermark` is the time of the last change."""
    last = pd.NaT
    if feed.changed in records.column_names:
        last = change_times(pc.unique(records[feed.changed])).max()
    return {
        "until": as_of.isoformat(),
        "watermark": None if pd.isna(last) else last.isoformat(),
        "records": records.num_rows,
        "columns": [name for name in records.column_names if name not in (KEY, DELETED)],
        "memory": dict(sorted(memory.items())),
    }


def _records(folder: Path) -> pa.Table | None:
    lake.restore(folder)
    return lake.read_arrow(folder / RECORDS) if (folder / STATE).exists() else None


def _end_of(day: datetime.date) -> datetime.datetime:
    midnight = datetime.datetime.combine(day + DAY, datetime.time(), datetime.UTC)
    return midnight - datetime.timedelta(microseconds=1)


def _wrong_day(city: CityConfig, feed: IncrementalFeed, folder: Path, state: Mapping[str, Any]) -> str:
    again = " --again" if state["until"] > city.as_of.isoformat() else ""
    return (
        f"{folder}: feed {feed.name} was read up to {state['until']}, but city.as_of = {city.as_of}: "
        f"run `homei fetch {city.name}{again}` for the records of that day"
    )


def _warn(message: str) -> None:
    print(f"homei: {message}", file=sys.stderr)  # noqa: T201
