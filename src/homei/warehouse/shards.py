"""Shards: each location belongs to one of 256, by which large tables are divided and published."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

# Fixed, so that another number of partitions moves no row to another shard.
N_SHARDS = 256


def shard_of(location: str | None) -> int:
    """The shard of a location: the first byte of its SHA-256. None counts as an empty text.

    PostgreSQL computes it by `get_byte(sha256(convert_to(coalesce(location, ''), 'UTF8')), 0)`.
    """
    return hashlib.sha256((location or "").encode()).digest()[0]


def shards_of(locations: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The shard of each location."""
    names = pc.unique(locations)
    shards = pa.array([shard_of(name) for name in names.to_pylist()], pa.int64())
    positions = pc.index_in(locations, names)
    taken = shards.take(positions.combine_chunks() if isinstance(positions, pa.ChunkedArray) else positions)
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
