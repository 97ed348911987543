"""Parts of a feed's files and landings, each of which one task of Spark reads.

A file of CSV or Parquet is divided if it is large; all others are read by one task, text of any size in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from homei.ingestion.connectors import files
from homei.ingestion.connectors.csv_ranges import Range, csv_ranges, read_range
from homei.ingestion.connectors.csv_reader import read_csv
from homei.ingestion.connectors.file_readers import Part, arrow_batches, flat_table
from homei.ingestion.connectors.files import Files
from homei.ingestion.connectors.sheet import Sheet, as_sheet
from homei.ingestion.connectors.text_rows import Batch, UnreadableError, column_names
from homei.storage.input_files import InputFile, input_file

if TYPE_CHECKING:
    from homei.storage.config import StorageConfig

ROWS_A_PART = 250_000  # of a Parquet file
RANGE_BYTES = 64 << 20  # of a CSV file


class FilePart(NamedTuple):
    """A part of a file: all of it, `row_groups` of Parquet, or a range of CSV below a `header`.

    `file` is the position of the file among those of its feed. `first_line` is that of the first row in `row_groups`.
    `fault` says why the driver can't read the file.
    """

    file: int
    source: InputFile
    row_groups: Sequence[int] | None = None
    first_line: int = 2
    range: Range | None = None
    header: list[str] | None = None
    fault: str | None = None


def file_parts(file: int, path: Path, feed: Files, storage: StorageConfig | None = None) -> list[FilePart]:
    """The parts of a file, which is first copied to the lake of `storage`.

    A broken file is a single part, whose reader raises the error.
    """
    if files.is_open(path):
        return [FilePart(file, InputFile(path), fault=f"{path}: is open in another program")]
    try:
        with files.read_errors(path, feed):
            source = input_file(path, storage)
    except UnreadableError as error:
        return [FilePart(file, InputFile(path), fault=str(error))]
    try:
        with files.read_errors(path, feed) as kind:
            if kind == "parquet":
                return parquet_parts(file, source)
            ranges = csv_ranges(path, feed, RANGE_BYTES) if kind == "csv" else None
            if ranges is None or len(ranges) < 2:
                return [FilePart(file, source)]
            with path.open("rb") as content:
                header, _ = read_csv(content, str(path), feed)
            return [FilePart(file, source, range=part, header=header if part.start else None) for part in ranges]
    except UnreadableError:
        return [FilePart(file, source)]


def parquet_parts(file: int, path: InputFile, first_line: int = 2) -> list[FilePart]:
    """The row groups of a Parquet file, small ones together."""
    parts, groups, n_rows = [], [], 0
    metadata = pq.read_metadata(path.path)
    for group in range(metadata.num_row_groups):
        groups.append(group)
        n_rows += metadata.row_group(group).num_rows
        if n_rows >= ROWS_A_PART or group == metadata.num_row_groups - 1:
            parts.append(FilePart(file, path, groups, first_line))
            first_line, groups, n_rows = first_line + n_rows, [], 0
    return parts or [FilePart(file, path)]


def part_names(path: Path, feed: Files) -> list[str]:
    """The names of a workbook's sheets or a zip's members, in their order.

    A single empty name for other files.
    """
    if files.kind_of(path, feed) not in ("zip", "excel"):
        return [""]
    try:
        return [part.name for part in files.parts(path, feed)]
    except UnreadableError:
        return [""]


def read_part(part: FilePart, feed: Files) -> Iterator[tuple[int, Sheet]]:
    """The rows of a part in sheets of bounded size, each with the position of its part of the file.

    Raises UnreadableError as `files.sheets` does.
    """
    if part.fault is not None:
        raise UnreadableError(part.fault)
    if part.row_groups is None and part.range is None:
        yield from files.sheets_in_batches(part.source, feed)
        return
    with files.read_errors(part.source, feed):
        rows = read_range(part.source, part.range, part.header, feed) if part.range else _row_groups(part)
        for batches in files.groups(rows.rows):
            yield 0, as_sheet(part.source, rows._replace(rows=iter(batches)))


def landed_cells(part: FilePart) -> Iterator[tuple[int, pa.Table]]:
    """The cells of row groups of a landing, each table with the line of its first record."""
    line = part.first_line
    for batch in _row_batches(part):
        yield line, pa.Table.from_batches([batch])
        line += batch.num_rows


def _row_groups(part: FilePart) -> Part:
    def rows() -> Iterator[Batch]:
        line = part.first_line
        for batch in _row_batches(part):
            yield from arrow_batches(flat_table(pa.Table.from_batches([batch])), line)
            line += batch.num_rows

    with part.source.open() as file:
        schema = flat_table(pq.read_schema(file).empty_table())
    return Part("", column_names(schema.column_names, str(part.source)), rows())


def _row_batches(part: FilePart) -> Iterator[pa.RecordBatch]:
    with part.source.open() as content, pq.ParquetFile(content) as file:
        yield from file.iter_batches(files.ROWS_A_SHEET, row_groups=part.row_groups)
