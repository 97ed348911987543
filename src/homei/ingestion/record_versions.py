"""Versions of records: the last one of each key, the replaced ones, and counts of changes."""

from __future__ import annotations

import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEY, DELETED = "_key", "_deleted"
# From which number on a time counts nano-, micro-, milliseconds or seconds: each is a time after March 1973.
EPOCH_UNITS = {1e17: 1e9, 1e14: 1e6, 1e11: 1e3, 1e8: 1.0}


class Counts(NamedTuple):
    """The records after a merge: their number, and how many are new, changed or newly deleted."""

    records: int
    new: int
    changed: int
    deleted: int = 0


def merge_versions(landed: pa.Table | None, read: pa.Table, changed: str | None) -> tuple[pa.Table, pa.Table, Counts]:
    """The last version of each key sorted by key, the versions that it replaced, and counts.

    `changed` names the column with the time of the last change: the latest version wins, and at equal times the one
    read last. A version that was read twice counts once.
    """
    landed = read.slice(0, 0) if landed is None else landed
    rows = pa.concat_tables([landed, read], promote_options="default").combine_chunks()
    rows = rows.select(sorted(rows.column_names))
    keys = rows[KEY].to_pandas()
    is_repeated = keys.duplicated(keep=False).to_numpy()
    repeated = np.flatnonzero(is_repeated)
    last, replaced = _last_versions(rows.take(repeated), repeated, changed)
    current = np.concatenate([np.flatnonzero(~is_repeated), last])
    is_read = current >= landed.num_rows
    was_landed = keys.iloc[current[is_read & is_repeated[current]]].isin(keys.iloc[: landed.num_rows])
    n_changed = int(was_landed.sum())
    counts = Counts(len(current), int(is_read.sum()) - n_changed, n_changed)
    return rows.take(_sorted_by_key(current, rows[KEY])), rows.take(replaced), counts


def with_deletions(records: pa.Table, present: set[str], day: datetime.date) -> tuple[pa.Table, int]:
    """The records with `_deleted`, the day of their first absence from `present`, and how many are new.

    The column is null for records at the source, and missing if all are.
    """
    before = records[DELETED] if DELETED in records.column_names else pa.nulls(records.num_rows, pa.string())
    is_absent = pc.invert(pc.is_in(records[KEY], pa.array(sorted(present), pa.string())))
    deleted = pc.if_else(is_absent, pc.coalesce(before, str(day)), None)
    others = records.select([name for name in records.column_names if name != DELETED])
    n_new = pc.sum(pc.and_(is_absent, pc.is_null(before))).as_py() or 0
    marked = others.append_column(DELETED, deleted)
    return (marked.select(sorted(marked.column_names)) if pc.any(is_absent).as_py() else others), n_new


def n_repeated(read: pa.Table) -> int:
    """How many records of one reading are the same as an earlier one of it."""
    repeated = np.flatnonzero(read[KEY].to_pandas().duplicated(keep=False))
    rows = read.take(repeated)
    versions = pd.DataFrame({"key": rows[KEY].to_pandas(), "content": _content_hashes(rows)})
    return int(versions.duplicated().sum())


def change_times(cells: pa.Array | pa.ChunkedArray) -> pd.Series:
    """Times in UTC from ISO 8601 or from a number since 1970 (`epoch_unit`); NaT for anything else."""
    texts = cells.to_pandas().astype(object)
    numbers = pd.to_numeric(texts, errors="coerce")
    units = numbers.map(epoch_unit)
    times = pd.to_datetime(texts.where(units.isna()), errors="coerce", utc=True, format="ISO8601")
    return times.mask(units.notna(), pd.to_datetime(numbers / units, unit="s", utc=True, errors="coerce"))


def epoch_unit(number: float) -> float | None:
    """The parts of a second that a number since 1970 counts, by its size.

    None for a year or a day like 20240131.
    """
    return next((unit for limit, unit in EPOCH_UNITS.items() if number >= limit), None)


def _last_versions(rows: pa.Table, positions: np.ndarray, changed: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the last versions and of the replaced ones among rows whose keys repeat."""
    versions = pd.DataFrame({"position": positions, "key": rows[KEY].to_pandas(), "content": _content_hashes(rows)})
    versions["time"] = change_times(rows[changed]) if changed in rows.column_names else pd.NaT
    versions = versions.drop_duplicates(["key", "content"])
    versions = versions.sort_values(["key", "time", "position"], kind="stable", na_position="first")
    is_last = ~versions["key"].duplicated(keep="last")
    return versions.loc[is_last, "position"].to_numpy(), versions.loc[~is_last, "position"].to_numpy()


def _sorted_by_key(positions: np.ndarray, keys: pa.ChunkedArray) -> pa.Array:
    """The positions sorted by length of key, then by key, so that numbers are in numeric order."""
    key = keys.take(pa.array(positions))
    order = pa.table({"length": pc.utf8_length(key), "key": key})
    return pa.array(positions).take(pc.sort_indices(order, [("length", "ascending"), ("key", "ascending")]))


def _content_hashes(rows: pa.Table) -> np.ndarray:
    """A 64-bit hash of each row's cells, enough to tell apart the few versions of one key."""
    if not rows.num_rows:
        return np.array([], dtype=np.uint64)
    cells = rows.to_pandas(types_mapper=pd.ArrowDtype)
    return pd.util.hash_pandas_object(cells, index=False).to_numpy()
