"""Tables of the lake in buckets by a hash of property_id, so that each bucket is joined in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from homei.storage import lake

ROWS_PER_BUCKET = 100_000
MAX_BUCKETS = 400  # as many files are open while a table is divided
BATCH = 65_536  # rows that are read from the lake at a time
KEY = "property_id"


@dataclass(frozen=True)
class LakeColumns:
    """Columns of a table of the lake, KEY among them, and which of its rows."""

    path: Path
    columns: Sequence[str]
    condition: ds.Expression | None = None


def n_buckets_for(*sources: LakeColumns) -> int:
    """The number of buckets that keeps those of the largest table at about ROWS_PER_BUCKET."""
    n_rows = max(lake.scan(source.path).count_rows() for source in sources)
    return min(MAX_BUCKETS, -(-n_rows // ROWS_PER_BUCKET) or 1)


def buckets(source: LakeColumns, n_buckets: int, folder: Path) -> Iterator[pa.Table]:
    """The rows of each bucket in turn; `folder` holds those of all while the table is read."""
    scanner = lake.scan(source.path).scanner(
        columns=list(source.columns),
        filter=source.condition,
        batch_size=BATCH,
        batch_readahead=2,
        fragment_readahead=1,
    )
    if n_buckets == 1:
        yield scanner.to_table()
        return
    folder.mkdir(parents=True)
    files = [folder / f"{number:03d}.arrow" for number in range(n_buckets)]
    with ExitStack() as stack:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        schema = scanner.projected_schema
        writers = [stack.enter_context(pa.ipc.new_file(file, schema, options=options)) for file in files]
        for batch in scanner.to_batches():
            _divide(batch, writers)
    for file in files:
        with pa.ipc.open_file(file) as reader:
            yield reader.read_all()
        file.unlink()


def _divide(batch: pa.RecordBatch, writers: Sequence[pa.ipc.RecordBatchFileWriter]) -> None:
    keys = batch[KEY].to_numpy(zero_copy_only=False)
    bucket = pd.util.hash_array(keys.astype(object), categorize=False) % np.uint64(len(writers))
    order = np.argsort(bucket, kind="stable")
    rows, ends = batch.take(pa.array(order)), np.searchsorted(bucket[order], np.arange(len(writers)), side="right")
    start = 0
    for writer, end in zip(writers, ends.tolist(), strict=True):
        if end > start:
            writer.write_batch(rows.slice(start, end - start))
        start = end
