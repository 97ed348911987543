"""Versions of records: the last one of each key, those that it replaced, and what was new."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEY = "_key"


class Counts(NamedTuple):
    """How many records there are, and how many of them are new, or known with another content."""

    records: int
    new: int
    changed: int


def merged(held: pa.Table | None, read: pa.Table, changed: str | None) -> tuple[pa.Table, pa.Table, Counts]:
    """The last version of each key in order of keys, the versions that it replaced, and what was new and changed.

    Of two versions the one that changed last wins; of those that changed together the one that was read last. The same
    version read twice is one.
    """
    held = read.slice(0, 0) if held is None else held
    rows = pa.concat_tables([held, read], promote_options="default").combine_chunks()
    rows = rows.select(sorted(rows.column_names))
    keys = rows[KEY].to_pandas()
    repeats = keys.duplicated(keep=False).to_numpy()
    several = np.flatnonzero(repeats)
    last, replaced = _last_versions(rows.take(several), several, changed)
    current = np.concatenate([np.flatnonzero(~repeats), last])
    is_read = current >= held.num_rows
    known = keys.iloc[current[is_read & repeats[current]]].isin(keys.iloc[: held.num_rows])
    counts = Counts(len(current), int(is_read.sum() - known.sum()), int(known.sum()))
    return rows.take(_in_order(current, rows[KEY])), rows.take(replaced), counts


def moments(cells: pa.Array | pa.ChunkedArray) -> pd.Series:
    """When records changed, in UTC: ISO 8601, or the seconds or milliseconds since 1970; NaT where it can't be read."""
    told = cells.to_pandas().astype(object)
    numbers = pd.to_numeric(told, errors="coerce")
    # A smaller number is a year, or a day such as 20240131.
    counted = numbers > 1e8
    found = pd.to_datetime(told.where(~counted), errors="coerce", utc=True, format="ISO8601")
    seconds = numbers[counted]
    return found.mask(counted, pd.to_datetime(seconds.where(seconds < 1e11, seconds / 1000), unit="s", utc=True))


def _last_versions(rows: pa.Table, places: np.ndarray, changed: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Of rows whose keys repeat, at these places: the places of the last versions, and of those that they replaced."""
    versions = pd.DataFrame({"place": places, "key": rows[KEY].to_pandas(), "content": _digests(rows)})
    versions["moment"] = moments(rows[changed]) if changed in rows.column_names else pd.NaT
    versions = versions.drop_duplicates(["key", "content"])
    versions = versions.sort_values(["key", "moment", "place"], kind="stable", na_position="first")
    is_last = ~versions["key"].duplicated(keep="last")
    return versions.loc[is_last, "place"].to_numpy(), versions.loc[~is_last, "place"].to_numpy()


def _in_order(places: np.ndarray, keys: pa.ChunkedArray) -> pa.Array:
    """The places in the order of their keys: a shorter one is a smaller one, so that numbers are in their own order."""
    key = keys.take(pa.array(places))
    order = pa.table({"length": pc.utf8_length(key), "key": key})
    return pa.array(places).take(pc.sort_indices(order, [("length", "ascending"), ("key", "ascending")]))


def _digests(rows: pa.Table) -> np.ndarray:
    """A number for each row that is the same for the same cells; 64 bits tell a key's few versions apart."""
    if not rows.num_rows:
        return np.array([], dtype=np.uint64)
    cells = rows.to_pandas(types_mapper=pd.ArrowDtype)
    return pd.util.hash_pandas_object(cells, index=False).to_numpy()
