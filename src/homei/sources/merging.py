"""Versions of records: the last one of each key, those that it replaced, and what was new."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

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
    rows = pa.concat_tables([held, read], promote_options="default")
    rows = rows.select(sorted(rows.column_names))
    order = pd.DataFrame(
        {
            "key": rows[KEY].to_pandas(),
            "moment": moments(rows[changed]) if changed in rows.column_names else pd.NaT,
            "content": _digests(rows),
            "is_read": [False] * held.num_rows + [True] * read.num_rows,
        }
    ).drop_duplicates(["key", "content"])
    order = order.sort_values(["key", "moment"], kind="stable", na_position="first")
    last = ~order["key"].duplicated(keep="last")
    current, replaced = order[last], order[~last]
    known = set(order.loc[~order["is_read"], "key"])
    fresh = current.loc[current["is_read"], "key"]
    counts = Counts(len(current), sum(key not in known for key in fresh), sum(key in known for key in fresh))
    # Keys that are numbers are in the order of numbers: a shorter one is a smaller one.
    in_order = current.assign(length=current["key"].str.len()).sort_values(["length", "key"])
    return rows.take(in_order.index.to_numpy()), rows.take(replaced.index.to_numpy()), counts


def moments(cells: pa.ChunkedArray) -> pd.Series:
    """When records changed, in UTC: ISO 8601, or the seconds or milliseconds since 1970; NaT where it can't be read."""
    told = cells.to_pandas()
    numbers = pd.to_numeric(told, errors="coerce")
    counted = numbers > 1e8  # a smaller number is a year or a day such as 20240131
    unit = numbers.where(numbers < 1e11, numbers / 1000)
    found = pd.to_datetime(told.where(~counted), errors="coerce", utc=True, format="ISO8601")
    if counted.any():
        found = found.fillna(pd.to_datetime(unit.where(counted), unit="s", utc=True))
    return found


def _digests(rows: pa.Table) -> np.ndarray:
    """A number for each row that is the same for the same cells; 64 bits tell a key's few versions apart."""
    cells = rows.to_pandas(types_mapper=pd.ArrowDtype) if rows.num_rows else pd.DataFrame({KEY: []})
    return pd.util.hash_pandas_object(cells, index=False).to_numpy()
