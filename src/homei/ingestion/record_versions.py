"""Versions of records: the last one of each key, the replaced ones, and counts of changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEY = "_key"


class Counts(NamedTuple):
    """The number of records after a merge, and how many of them are new or have new content."""

    records: int
    new: int
    changed: int


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


def change_times(cells: pa.Array | pa.ChunkedArray) -> pd.Series:
    """Times in UTC from ISO 8601 or from seconds or milliseconds since 1970; NaT for anything else."""
    texts = cells.to_pandas().astype(object)
    numbers = pd.to_numeric(texts, errors="coerce")
    is_epoch = numbers > 1e8  # a smaller number is a year, or a day such as 20240131
    times = pd.to_datetime(texts.where(~is_epoch), errors="coerce", utc=True, format="ISO8601")
    seconds = numbers[is_epoch]
    return times.mask(is_epoch, pd.to_datetime(seconds.where(seconds < 1e11, seconds / 1000), unit="s", utc=True))


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
