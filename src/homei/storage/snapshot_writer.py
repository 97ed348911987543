"""Writes the files of a snapshot of an external lake.

Each Spark task, or each process, writes its own files.
"""

from __future__ import annotations

import hashlib
import pickle
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from homei.storage import remote_files
from homei.storage.config import StorageConfig
from homei.storage.row_digest import ContentSum, column_types, content_sum, table_digest, total
from homei.storage.snapshots import DataFile, Receipt, commit, receipt_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

ROW_GROUP = 128 * 1024
WRITTEN = "written binary"  # the schema of what `NewSnapshot.task` returns


class WrittenFile(NamedTuple):
    """A file that no snapshot names yet, and the sums of its rows."""

    file: DataFile
    content: ContentSum


@dataclass(frozen=True)
class NewSnapshot:
    """A snapshot of a table while its files are written: it can be sent to the tasks of Spark."""

    target: Path  # the table's folder in the workspace
    table: str  # the table's URI
    write: str  # a name that no other write has
    encryption: str | None

    @classmethod
    def of(cls, target: Path, storage: StorageConfig) -> NewSnapshot:
        return cls(target, f"{storage.location()}/{target.as_posix()}", uuid.uuid4().hex, storage.encryption)

    def write_file(self, batches: Iterable[pa.RecordBatch]) -> WrittenFile | None:
        """Writes rows to one file, ROW_GROUP of them in memory at a time; None without batches.

        A file of a task that Spark runs twice is in the lake twice; only one of them becomes part of the snapshot.
        """
        sums = []
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "part.parquet")
            writer = None
            for group in _row_groups(batches):
                sums.append(content_sum(group.select(sorted(group.column_names)).to_batches()))
                content = group.replace_schema_metadata()
                writer = writer or pq.ParquetWriter(file, content.schema, compression="zstd")
                writer.write_table(content, row_group_size=ROW_GROUP)
            if writer is None:
                return None
            writer.close()
            return WrittenFile(self._upload(file, total(sums).rows), total(sums))

    def task(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`write_file` as a function for `mapInArrow`, with the schema WRITTEN."""
        if (written := self.write_file(batches)) is not None:
            yield pa.RecordBatch.from_pydict({"written": [pickle.dumps(written)]})

    def commit(self, written: Iterable[WrittenFile], schema: StructType, key: Sequence[str]) -> Receipt:
        """Makes the files a snapshot with columns of this schema, and writes the receipt to the workspace."""
        written = list(written) or [self._empty_file(schema)]
        columns, content = column_types(schema), total(file.content for file in written)
        receipt = receipt_of(self.table, columns, key, content.rows, table_digest(columns, content))
        files = sorted((file.file for file in written), key=lambda file: file.path)
        return commit(receipt, files, self.target, self.encryption)

    def uris(self, written: Iterable[WrittenFile]) -> list[str]:
        return [f"{self.table}/{file.file.path}" for file in written]

    def _upload(self, file: Path, rows: int) -> DataFile:
        path = f"files/{self.write}/{uuid.uuid4().hex}.parquet"
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        remote_files.upload(file, f"{self.table}/{path}", self.encryption)
        return DataFile(path, rows, file.stat().st_size, sha256)

    def _empty_file(self, schema: StructType) -> WrittenFile:
        """A file without rows, from which readers take the columns."""
        from pyspark.sql.pandas.types import to_arrow_schema

        return self.write_file([pa.RecordBatch.from_pylist([], to_arrow_schema(schema))])


def write_snapshot(frame: DataFrame, target: Path, key: Sequence[str], storage: StorageConfig) -> Receipt:
    """Writes a frame's rows, sorted by `key` within each file, and the receipt `target`.

    The receipt is in the workspace.
    """
    new = NewSnapshot.of(target, storage)
    tasks = frame.sortWithinPartitions(*key).mapInArrow(new.task, WRITTEN)
    return new.commit(written_files(tasks), frame.schema, key)


def written_files(tasks: DataFrame) -> list[WrittenFile]:
    """Runs the tasks of a frame whose rows come from `NewSnapshot.task`; what they have written."""
    return [pickle.loads(row[0]) for row in tasks.collect()]


def write_tables(tables: Iterable[pa.Table], target: Path, key: Sequence[str], storage: StorageConfig) -> Receipt:
    """Writes the rows of at least one table, one file for each, and the receipt to `target`; without Spark.

    All tables have the same columns. One of them at a time is in memory.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    new, written = NewSnapshot.of(target, storage), []
    for table in tables:
        written.append(new.write_file(table.to_batches()))
    return new.commit((file for file in written if file is not None), from_arrow_schema(table.schema), key)


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows of the batches in tables of at least ROW_GROUP rows, but for the last."""
    waiting: list[pa.RecordBatch] = []
    n_waiting = 0
    for batch in batches:
        waiting.append(batch)
        n_waiting += batch.num_rows
        if n_waiting >= ROW_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting, n_waiting = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
