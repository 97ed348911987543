"""The lake: tables as folders of Parquet files with stable bytes, replaced atomically.

`lake` offers all of storage in one place: the tables' paths (`lake.TRAINING_SET`), `lake.read` and `lake.write`, and
the functions for other files. Only Spark's tables are apart, in `spark_tables`. A table of an external lake is read
through its receipt (`snapshots`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from homei.storage.files import (  # noqa: F401
    MissingTableError,
    digest,
    existing,
    read_csv,
    read_json,
    write_json,
    write_text,
)
from homei.storage.remote_files import arrow_filesystem
from homei.storage.replacement import locked, replace_file, replacing, restore  # noqa: F401
from homei.storage.snapshots import SnapshotError, read_receipt, uris
from homei.storage.tables import *  # noqa: F403

# Arrow's default allocator returns memory to the system and requests it again; that took a third of validation's time.
pa.set_memory_pool(pa.system_memory_pool())

MAX_ROWS_IN_MEMORY = 4_000_000  # of an external table
ROWS_OF_SAMPLE = 1_000_000
TEXT, DAY = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.date32())


def read(table: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table's rows in their stored order.

    Partitions are in order of year, rows of an external table in the order of its key. Raises MissingTableError, and
    SnapshotError for an external table of more than MAX_ROWS_IN_MEMORY.
    """
    return _table(table, columns).to_pandas(date_as_object=False)


def sample(table: Path, by: str, max_rows: int = ROWS_OF_SAMPLE) -> pd.DataFrame:
    """As `read`, but about `max_rows` of the rows of an external table that has more.

    Rows are chosen by a hash of the column `by`, or of the key's first column where it is null. So a sample of one
    table has the rows that belong to a smaller share of another one. Memory does not grow with the table.
    """
    receipt = read_receipt(table)
    if receipt is None or receipt.rows <= max_rows:
        return read(table)
    parts, share = [], max_rows / receipt.rows
    rows = scan(table)
    for batch in rows.to_batches():
        values = pc.coalesce(*(batch[name].cast(pa.string()) for name in (by, receipt.key[0])))
        hashes = pd.util.hash_array(values.to_numpy(zero_copy_only=False).astype(object), categorize=False)
        parts.append(batch.filter(pa.array(hashes < share * 2**64)))
    return _in_order(pa.Table.from_batches(parts, rows.schema), receipt.key).to_pandas(date_as_object=False)


def n_rows(table: Path) -> int:
    """The number of a table's rows, without reading them."""
    return scan(table).count_rows()


def read_text_columns(table: Path) -> pd.DataFrame:
    """As `read`, with text columns of type TEXT: for raw tables, which are all text."""
    return _table(table).to_pandas(types_mapper={pa.string(): TEXT}.get)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with object columns as TEXT and datetimes as DAY, so that an empty column keeps its type."""
    days = frame.select_dtypes("datetime").columns
    texts = frame.select_dtypes(object).columns
    return frame.astype({**dict.fromkeys(texts, TEXT), **dict.fromkeys(days, DAY)})


def write(rows: pd.DataFrame | pa.Table, table: Path) -> None:
    """Writes rows as a table of one file, in their order and without an index."""
    with replacing(table) as folder:
        rows = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        write_parquet(rows, folder / "part-00000.parquet")


def read_arrow(path: Path) -> pa.Table:
    """The rows of a table or of one Parquet file with their stored types; raises as `read` does."""
    return pq.read_table(path) if existing(path).is_file() else _table(path)


def scan(table: Path) -> ds.Dataset:
    """A table whose rows are read in batches, in any order, wherever it is; raises MissingTableError."""
    if (receipt := read_receipt(table)) is None:
        return ds.dataset(table, format="parquet")
    files, _ = arrow_filesystem(receipt.table)
    return ds.dataset([arrow_filesystem(uri)[1] for uri in uris(receipt)], format="parquet", filesystem=files)


def version(table: Path) -> str:
    """Hexadecimal digits that name a table's content, wherever it is; raises MissingTableError."""
    receipt = read_receipt(table)
    return digest(table) if receipt is None else receipt.snapshot


def _table(table: Path, columns: Sequence[str] | None = None) -> pa.Table:
    if (receipt := read_receipt(table)) is None:
        return pq.read_table(table, columns=list(columns) if columns else None, partitioning=None)
    if receipt.rows > MAX_ROWS_IN_MEMORY:
        raise SnapshotError(
            f"{table} has {receipt.rows:,} rows in {receipt.table}, more than the {MAX_ROWS_IN_MEMORY:,} that are read "
            "into memory: use a stage that runs in Spark, or lower features.max_training_rows for the training set"
        )
    names = list(columns or receipt.columns)
    rows = scan(table).to_table(columns=[*names, *(name for name in receipt.key if name not in names)])
    return _in_order(rows, receipt.key).select(names)


def _in_order(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    return rows.take(pc.sort_indices(rows, [(name, "ascending", "at_start") for name in key]))


def write_arrow(rows: pa.Table, file: Path) -> None:
    """Writes one Parquet file."""
    replace_file(file, lambda new: write_parquet(rows, new))


def write_parquet(rows: pa.Table, file: Path) -> None:
    """Writes equal rows as equal bytes, in place; for a folder that `replacing` yields."""
    # Chunks decide where Parquet's pages end, and metadata differs between writers.
    pq.write_table(rows.replace_schema_metadata().combine_chunks(), file, compression="zstd")
