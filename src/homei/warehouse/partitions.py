"""Partitions of the large tables in PostgreSQL: each holds a range of shards."""

from __future__ import annotations

import itertools
import re

from sqlalchemy import Connection, text

from homei.warehouse.shards import N_SHARDS
from homei.warehouse.tables import PARTITIONED

_NAME = re.compile(rf"({'|'.join(table.name for table in PARTITIONED)})_(\d{{3}})_(\d{{3}})")
_PARTITIONS = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table) ORDER BY 1")


def is_partition(name: str) -> bool:
    """Whether a table of this name is a partition that set_partitions made."""
    return _NAME.fullmatch(name) is not None


def partition_names(table: str, n_partitions: int) -> list[str]:
    """The names of a table's partitions, from their first to their last shard.

    For example property_history_064_127.
    """
    ends = [number * N_SHARDS // n_partitions for number in range(n_partitions + 1)]
    return [f"{table}_{first:03d}_{end - 1:03d}" for first, end in itertools.pairwise(ends)]


def partitions_of(connection: Connection, table: str) -> list[str]:
    """The names of the existing partitions of a table."""
    return [*connection.execute(_PARTITIONS, {"table": table}).scalars()]


def set_partitions(connection: Connection, table: str, n_partitions: int) -> None:
    """Divides a table into so many partitions; those whose range of shards stays are not touched.

    Copies the rows of all others. Readers wait from the moment when old partitions are dropped. A table with a
    partition of another name, which an administrator made, stays as it is.
    """
    wanted, present = partition_names(table, n_partitions), partitions_of(connection, table)
    new = [name for name in wanted if name not in present]
    old = [name for name in present if name not in wanted]
    if not all(is_partition(name) for name in old):
        return
    for name in new:
        first, last = _range(name)
        connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        # PostgreSQL need not read a partition that has this condition when it is attached.
        connection.exec_driver_sql(
            f"ALTER TABLE {name} ADD CONSTRAINT in_range CHECK (shard >= {first} AND shard <= {last})"
        )
        connection.exec_driver_sql(f"INSERT INTO {name} SELECT * FROM {table} WHERE shard BETWEEN {first} AND {last}")
        connection.exec_driver_sql(f"ANALYZE {name}")
    for name in old:
        connection.exec_driver_sql(f"DROP TABLE {name}")
    for name in new:
        first, last = _range(name)
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({last + 1})"
        )
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT in_range")


def _range(name: str) -> tuple[int, int]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[2]), int(match[3])
