"""Spark frames read from and written to the lake.

They have stable bytes in the workspace, or are external snapshots.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from homei.storage import lake, snapshots
from homei.storage.config import StorageConfig
from homei.storage.input_files import input_file
from homei.storage.row_digest import digest  # noqa: F401
from homei.storage.snapshot_writer import write_snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Spark plans a frame on one core, which for a small city takes longer than writing it.
WRITTEN_AT_ONCE = 3


class SparkTable(NamedTuple):
    """A Spark frame and how it is stored: the table's path, the order of its rows, and its partitions.

    `key` must be unique for the bytes to be stable. `years_of` names a column of dates, or of months counted from
    year 0; in the workspace each of its years is a folder (`year=2024`), so that a query for one year reads no other.
    """

    frame: DataFrame
    path: Path
    key: Sequence[str]
    years_of: str | None = None


def read(spark: SparkSession, table: Path) -> DataFrame:
    """A table's rows as a Spark frame, wherever they are; raises MissingTableError."""
    if (receipt := snapshots.read_receipt(table)) is None:
        if not spark.sparkContext.master.startswith("local"):
            # Executors elsewhere do not see the workspace; beside an external lake, it has small tables only.
            return spark.createDataFrame(pyarrow.dataset.dataset(table, partitioning=None).to_table())
        # Files of all years have all columns: Spark would add one with the name of their folder.
        return spark.read.option("recursiveFileLookup", "true").parquet(str(table.resolve()))
    return read_files(spark, snapshots.uris(receipt))


def read_inputs(spark: SparkSession, path: Path, storage: StorageConfig | None) -> DataFrame:
    """The rows of a Parquet file or of a folder of them, which is first copied to the lake of `storage`."""
    if storage is None:
        return read(spark, path)
    paths = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    return read_files(spark, [input_file(file, storage).uri for file in paths])


def read_files(spark: SparkSession, uris: Sequence[str]) -> DataFrame:
    """The rows of Parquet files of the lake, at least one, in any order."""
    return spark.read.parquet(*(uri.replace("s3://", "s3a://", 1) for uri in uris))


def write(table: SparkTable, storage: StorageConfig) -> None:
    """Writes a table: to the workspace, as one file or one a year, or as a snapshot of an external lake."""
    if storage.is_external:
        write_snapshot(table.frame, table.path, table.key, storage)
    else:
        _write_to_workspace(table)


def write_all(tables: Iterable[SparkTable], storage: StorageConfig) -> None:
    """Writes several tables concurrently."""
    with ThreadPoolExecutor(WRITTEN_AT_ONCE) as pool:
        list(pool.map(lambda table: write(table, storage), tables))


def _write_to_workspace(table: SparkTable) -> None:
    with lake.replacing(table.path) as folder:
        written = folder / "written"
        ordered = table.frame.repartition(1, *table.key).sortWithinPartitions(*table.key)
        ordered.write.option("compression", "none").parquet(str(written.resolve()))
        # Spark adds random ids to file names, markers and checksums, and its Parquet writer lists a column's encodings
        # in the order of object addresses. So the rows are written again.
        rows = pq.read_table(written)
        shutil.rmtree(written)
        partitions = {".": rows} if table.years_of is None or not rows.num_rows else _by_year(rows, table.years_of)
        for partition, part in partitions.items():
            (folder / partition).mkdir(exist_ok=True)
            lake.write_parquet(part, folder / partition / "part-00000.parquet")


def _by_year(rows: pa.Table, column: str) -> dict[str, pa.Table]:
    dates = rows[column]
    years = pc.divide(dates, 12) if pa.types.is_integer(dates.type) else pc.year(dates)
    return {f"year={year}": rows.filter(pc.equal(years, year)) for year in pc.unique(years).to_pylist()}
