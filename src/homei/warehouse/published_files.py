"""The rows of a published table in a file, each batch of one shard, with the content of each shard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import Table

from homei.storage.row_digest import ContentSum, sums_by_slice

NO_SHARD = 0  # of tables that are published as a whole


@dataclass(frozen=True)
class PublishedRows:
    """Rows of `table` in an Arrow file; `batch_shards` are the shards of its batches."""

    table: Table
    file: Path
    batch_shards: list[int]
    sums: dict[int, ContentSum]

    def batches(self, shards: Collection[int] | None = None) -> Iterator[pa.RecordBatch]:
        """The batches of some shards, or of all; read one by one, so that memory does not grow with the file."""
        with pa.OSFile(str(self.file)) as source, pa.ipc.open_file(source) as reader:
            for place, shard in enumerate(self.batch_shards):
                if shards is None or shard in shards:
                    yield reader.get_batch(place)

    def read(self) -> pa.Table:
        """All rows in the order of their key, in memory."""
        with pa.OSFile(str(self.file)) as source, pa.ipc.open_file(source) as reader:
            rows = reader.read_all()
        return rows.sort_by([(column.name, "ascending") for column in self.table.primary_key]).combine_chunks()


class RowsWriter:
    """Writes the rows of a table batch by batch; `result` is what was written."""

    def __init__(self, table: Table, schema: pa.Schema, folder: Path) -> None:
        self._table, self._file = table, folder / f"{table.name}.arrow"
        self._writer = pa.ipc.new_file(self._file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._batch_shards: list[int] = []
        self._sums: dict[int, ContentSum] = defaultdict(ContentSum)

    def add(self, rows: pa.Table) -> None:
        """Appends rows, which are sorted by shard if they have one."""
        for batch in rows.combine_chunks().to_batches():
            shards = batch["shard"].to_numpy() if "shard" in batch.schema.names else np.full(len(batch), NO_SHARD)
            starts = np.flatnonzero(np.diff(shards, prepend=-1))
            sums, ends = sums_by_slice(batch, starts), [*starts[1:].tolist(), batch.num_rows]
            for start, end, content in zip(starts.tolist(), ends, sums, strict=True):
                shard = int(shards[start])
                self._writer.write_batch(batch.slice(start, end - start))
                self._batch_shards.append(shard)
                self._sums[shard] = self._sums[shard].plus(content)

    def result(self) -> PublishedRows:
        """Ends the file."""
        self._writer.close()
        return PublishedRows(self._table, self._file, self._batch_shards, dict(self._sums))


def write_rows(table: Table, rows: pa.Table, folder: Path) -> PublishedRows:
    """The rows of a small table as PublishedRows."""
    writer = RowsWriter(table, rows.schema, folder)
    writer.add(rows)
    return writer.result()
