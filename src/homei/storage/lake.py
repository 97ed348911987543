"""The lake: tables as folders of Parquet files with stable bytes, replaced atomically.

`lake` offers all of storage in one place: the tables' paths (`lake.TRAINING_SET`), `lake.read` and `lake.write`, and
the functions for other files. Only Spark's tables are apart, in `spark_tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
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
from homei.storage.replacement import locked, replace_file, replacing, restore  # noqa: F401
from homei.storage.tables import *  # noqa: F403

# Arrow's default allocator returns memory to the system and requests it again; that took a third of validation's time.
pa.set_memory_pool(pa.system_memory_pool())

TEXT, DAY = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.date32())


def read(table: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table's rows in their stored order, partitions in order of year; raises MissingTableError."""
    rows = pq.read_table(existing(table), columns=list(columns) if columns else None, partitioning=None)
    return rows.to_pandas(date_as_object=False)


def read_text_columns(table: Path) -> pd.DataFrame:
    """As `read`, with text columns of type TEXT: for raw tables, which are all text."""
    return pq.read_table(existing(table)).to_pandas(types_mapper={pa.string(): TEXT}.get)


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
    """The rows of a table or of one Parquet file with their stored types; raises MissingTableError."""
    return pq.read_table(existing(path))


def write_arrow(rows: pa.Table, file: Path) -> None:
    """Writes one Parquet file."""
    replace_file(file, lambda new: write_parquet(rows, new))


def write_parquet(rows: pa.Table, file: Path) -> None:
    """Writes equal rows as equal bytes, in place; for a folder that `replacing` yields."""
    # Chunks decide where Parquet's pages end, and metadata differs between writers.
    pq.write_table(rows.replace_schema_metadata().combine_chunks(), file, compression="zstd")
