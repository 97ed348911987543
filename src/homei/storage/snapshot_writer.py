"""Writes a Spark frame as a snapshot of an external lake: each task uploads one file, and nothing is collected."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from homei.storage import remote_files
from homei.storage.config import StorageConfig
from homei.storage.row_digest import HASHES, column_types, digest_of, with_hashes
from homei.storage.snapshots import DataFile, Receipt, commit, receipt_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROW_GROUP = 128 * 1024
WRITTEN = "path string, rows long, bytes long, sha256 string, first decimal(20,0), second decimal(20,0)"
WRITTEN_TYPES = pa.schema(
    {"path": pa.string(), "rows": pa.int64(), "bytes": pa.int64(), "sha256": pa.string(),
     "first": pa.decimal128(20, 0), "second": pa.decimal128(20, 0)}
)  # fmt: skip


def write_snapshot(frame: DataFrame, target: Path, key: Sequence[str], storage: StorageConfig) -> Receipt:
    """Writes the rows, sorted by `key` within each file, and the receipt to `target` in the workspace."""
    table = f"{storage.location()}/{target.as_posix()}"
    write = uuid.uuid4().hex
    ordered = with_hashes(frame).sortWithinPartitions(*key)
    # A task that runs twice writes two files; only the one of the attempt that Spark accepted is returned.
    written = ordered.mapInArrow(task_writer(table, write, storage.encryption), WRITTEN).collect()
    files = [DataFile(row["path"], row["rows"], row["bytes"], row["sha256"]) for row in written]
    if not files:
        files = [_write_empty_file(frame, table, write, storage.encryption)]
    rows, first, second = (sum(int(row[name]) for row in written) for name in ("rows", "first", "second"))
    columns = column_types(frame)
    receipt = receipt_of(table, columns, key, rows, digest_of(columns, rows, first, second))
    return commit(receipt, sorted(files, key=lambda file: file.path), target, storage.encryption)


def task_writer(
    table: str, write: str, encryption: str | None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function of a task: it writes its partition to one file, and returns a row about it."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        sums, rows = np.zeros(2, dtype=np.uint64), 0
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "part.parquet")
            writer = None
            for group in _row_groups(batches):
                hashes = [group[name].to_numpy().view(np.uint64) for name in HASHES]
                sums += np.array([values.sum(dtype=np.uint64) for values in hashes], dtype=np.uint64)
                content = group.drop_columns(list(HASHES)).replace_schema_metadata()
                writer = writer or pq.ParquetWriter(file, content.schema, compression="zstd")
                writer.write_table(content, row_group_size=ROW_GROUP)
                rows += len(content)
            if writer is None:
                return
            writer.close()
            uploaded = _upload(file, table, write, rows, encryption)
        row = {**asdict(uploaded), "first": int(sums[0]), "second": int(sums[1])}
        yield pa.RecordBatch.from_pylist([row], schema=WRITTEN_TYPES)

    return run


def _upload(file: Path, table: str, write: str, rows: int, encryption: str | None) -> DataFile:
    path = f"files/{write}/{uuid.uuid4().hex}.parquet"
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    remote_files.upload(file, f"{table}/{path}", encryption)
    return DataFile(path, rows, file.stat().st_size, sha256)


def _write_empty_file(frame: DataFrame, table: str, write: str, encryption: str | None) -> DataFile:
    """A file without rows, from which readers take the columns."""
    from pyspark.sql.pandas.types import to_arrow_schema

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "part.parquet")
        pq.write_table(to_arrow_schema(frame.schema).empty_table(), file, compression="zstd")
        return _upload(file, table, write, 0, encryption)


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
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
