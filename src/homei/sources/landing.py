"""The landing: what `homei fetch` has read from feeds that live elsewhere, one row a key, the last version of each.

A feed's landing is a folder that is swapped in whole: records.parquet (text columns under the source's own names, with
`_key`, in order of it) and landed.json (how far it was read). Reading everything anew leaves the same bytes as reading
what was new, time after time. Versions and landings that were replaced go to the archive.
"""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from homei import lake
from homei.source import LivingFeed, Source, Span
from homei.sources.mapping import lacking, needs
from homei.sources.merging import KEY, Counts, merged, moments
from homei.sources.pseudonyms import pseudonymised
from homei.sources.rows import SourceError, texts

RECORDS, LANDED = "records.parquet", "landed.json"
ENOUGH = 20  # records of which none has a field: it is gone, and not just empty by chance
DAY = datetime.timedelta(days=1)


def folder_of(source: Source, table: str, feed: LivingFeed) -> Path:
    return Path(source.folder) / "landing" / table / feed.name


def archive_of(source: Source, table: str, feed: LivingFeed) -> Path:
    """Where the replaced versions are: one file a day as of which a replacing one was read."""
    return lake.HISTORICAL / source.name / table / feed.name


def backups_of(source: Source, table: str, feed: LivingFeed) -> Path:
    """Where the landings are that were read anew, a folder each: the day that it was read up to, and its digest."""
    return lake.BACKUPS / source.name / table / feed.name


def land(source: Source, table: str, feed: LivingFeed, again: bool = False) -> Counts:
    """Reads what is new of a feed up to and with `source.as_of` into its landing, or all of it where `again` says so.

    Before all of it is read anew, the landing goes to the backups: what its source has lost is in no other place.
    Raises SourceError where a column is missing that the feed maps, or where the landing is ahead of `as_of`; the
    landing then stays as it was.
    """
    folder, until = folder_of(source, table, feed), _end_of(source.as_of)
    held = None if again else _held(folder)
    state = _state(folder) if held is not None else {"until": "", "watermark": None, "memory": {}}
    if state["until"] > source.as_of.isoformat():
        raise SourceError(_out_of_step(source, feed, folder, state))
    memory = dict(state["memory"])
    read = _read(feed, Span(_since(feed, state), until), memory)
    _check_columns(feed, read, held)
    current, replaced, counts = merged(held, _only_until(read, feed, until), feed.changed)
    _keep(replaced, archive_of(source, table, feed) / f"{source.as_of}.parquet")
    if again:
        _back_up(folder, backups_of(source, table, feed))
    with lake.replacing(folder) as fresh:
        lake.write_arrow(current, fresh / RECORDS)
        lake.write_json(_told(current, feed, source.as_of, memory), fresh / LANDED)
    return counts


def landed(source: Source, table: str, feed: LivingFeed) -> pa.Table:
    """A feed's records as of `source.as_of`: text cells, null where empty, with `_key`.

    Raises SourceError with the remedy where they were never read, or up to another day.
    """
    folder = folder_of(source, table, feed)
    if (held := _held(folder)) is None:
        raise SourceError(f"{folder}: feed {feed.name} was never read: `homei fetch {source.name}` brings it")
    if (state := _state(folder))["until"] != source.as_of.isoformat():
        raise SourceError(_out_of_step(source, feed, folder, state))
    return held


def as_table(batch: pa.Table | list[Mapping[str, Any]]) -> pa.Table:
    """A batch as text columns: what is nested under its path (`address.city`), lists as JSON."""
    if isinstance(batch, pa.Table):
        return batch
    flat = [dict(_flat(record)) for record in batch]
    names = dict.fromkeys(name for record in flat for name in record)
    return pa.table({name: texts([record.get(name) for record in flat]) for name in names})


def _flat(record: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _read(feed: LivingFeed, span: Span, memory: dict[str, str]) -> pa.Table:
    tables = []
    with tqdm(desc=f"feed {feed.name}", unit=" records", unit_scale=True, disable=None) as bar:
        for batch in feed.records(span, memory):
            rows = as_table(batch)
            if rows.num_rows:
                # Hashes in place of who is who: nothing else is ever written.
                tables.append(_with_key(pseudonymised(rows, feed), feed))
            bar.update(rows.num_rows)
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({KEY: pa.array([], pa.string())})


def _with_key(rows: pa.Table, feed: LivingFeed) -> pa.Table:
    if missing := [name for name in feed.key if name not in rows.column_names]:
        raise SourceError(lacking(f"feed {feed.name}", missing[0], "key", rows.column_names))
    parts = [pc.fill_null(rows[name], "") for name in feed.key]
    keys = pc.binary_join_element_wise(*parts, "/")
    if pc.any(pc.equal(keys, "")).as_py():
        raise SourceError(f"feed {feed.name}: a record has no {'/'.join(feed.key)}, by which it is known (key)")
    return rows.append_column(KEY, keys)


def _check_columns(feed: LivingFeed, read: pa.Table, held: pa.Table | None) -> None:
    """Stops where the feed has lost a column that is mapped, and tells of one that it has gained."""
    if not read.num_rows:
        return
    present = read.column_names
    wanted = [need for name, column in feed.declared().items() for need in needs(name, column)]
    wanted += [("changed", feed.changed)] if feed.changed else []
    gone = [lacking(f"feed {feed.name}", part, name, present) for name, part in wanted if part not in present]
    if gone and (held is None or read.num_rows >= ENOUGH):
        raise SourceError("\n".join(gone))
    for line in gone:
        _tell(f"{line}; it may be empty in these {read.num_rows} records")
    if held is not None and (gained := sorted(set(present) - set(held.column_names))):
        _tell(f"feed {feed.name}: has new columns, which are kept: {', '.join(gained)}")


def _only_until(read: pa.Table, feed: LivingFeed, until: datetime.datetime) -> pa.Table:
    """The records that had changed by then: those that changed later come with a later day."""
    if feed.changed is None or feed.changed not in read.column_names:
        return read
    told = pc.unique(read[feed.changed])
    later = told.filter(pa.array((moments(told) > until).to_numpy()))
    return read.filter(pc.invert(pc.is_in(read[feed.changed], later))) if len(later) else read


def _keep(replaced: pa.Table, file: Path) -> None:
    """Replaced versions, once each: a call that was killed after this is repeated."""
    if not replaced.num_rows:
        return
    there = [lake.read_arrow(file)] if file.exists() else []
    rows = pa.concat_tables([*there, replaced], promote_options="default").to_pandas().drop_duplicates()
    lake.write_arrow(pa.Table.from_pandas(rows, preserve_index=False), file)


def _back_up(folder: Path, backups: Path) -> None:
    lake.restore(folder)
    if not (folder / LANDED).exists():
        return
    with lake.replacing(backups / f"{_state(folder)['until']}-{lake.digest(folder)[:12]}") as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)


def _told(current: pa.Table, feed: LivingFeed, as_of: datetime.date, memory: Mapping[str, str]) -> dict[str, Any]:
    last = moments(pc.unique(current[feed.changed])).max() if feed.changed in current.column_names else pd.NaT
    return {
        "until": as_of.isoformat(),
        "watermark": None if pd.isna(last) else last.isoformat(),
        "records": current.num_rows,
        "columns": [name for name in current.column_names if name != KEY],
        "memory": dict(sorted(memory.items())),
    }


def _since(feed: LivingFeed, state: Mapping[str, Any]) -> datetime.datetime | None:
    if state["watermark"] is None:
        return None
    return datetime.datetime.fromisoformat(state["watermark"]) - feed.overlap_days * DAY


def _end_of(day: datetime.date) -> datetime.datetime:
    midnight = datetime.datetime.combine(day + DAY, datetime.time(), datetime.UTC)
    return midnight - datetime.timedelta(microseconds=1)


def _held(folder: Path) -> pa.Table | None:
    lake.restore(folder)
    return lake.read_arrow(folder / RECORDS) if (folder / LANDED).exists() else None


def _state(folder: Path) -> dict[str, Any]:
    return lake.read_json(folder / LANDED)


def _out_of_step(source: Source, feed: LivingFeed, folder: Path, state: Mapping[str, Any]) -> str:
    again = " --again" if state["until"] > source.as_of.isoformat() else ""
    return (
        f"{folder}: feed {feed.name} was read up to {state['until']}, but source.as_of = {source.as_of}: "
        f"`homei fetch {source.name}{again}` brings what was known then"
    )


def _tell(line: str) -> None:
    print(f"homei: {line}", file=sys.stderr)  # noqa: T201
