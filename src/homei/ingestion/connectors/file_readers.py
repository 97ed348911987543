"""One reader for each file format: the column names and the rows of an open file."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa

from homei.config.file_formats import FileFormat
from homei.ingestion.connectors.csv_reader import read_csv
from homei.ingestion.connectors.nested import flattened, is_document, json_document, json_lines
from homei.ingestion.connectors.text_files import UNDECODABLE, open_text, undecodable
from homei.ingestion.connectors.text_rows import (
    Batch,
    Row,
    SourceError,
    batches,
    column_names,
    header_and_lines,
)

ROWS_A_BATCH = 50_000  # of typed columns


class Part(NamedTuple):
    """A part of a file: its name (empty for a single part), its column names, and its rows, read lazily."""

    name: str
    header: list[str]
    rows: Iterator[Batch]
    first_year: int = 1900  # from which serial dates count


def read_excel(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The rows of a workbook's first visible sheet, or of each sheet that `reading.sheet` names."""
    import openpyxl

    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    titles = _sheet_titles(book, name, reading.sheet)
    has_parts = reading.sheet is not None and titles != [reading.sheet]
    parts = []
    for title in titles:
        part = f"#{title}" if has_parts else ""
        header, rows = _sheet(book[title], name + part, reading)
        parts.append(Part(part, header, rows, book.epoch.year if book.epoch.year == 1904 else 1900))
    return parts


def read_json(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The objects of JSON lines or of a list in JSON; nested values are columns by their path."""
    text = open_text(file, name, reading)
    fault = undecodable(text)
    lines = [*text]
    content = "".join(lines)
    is_list = bool(reading.records_at) or is_document(content)
    values = [*(json_document(content, name, reading.records_at) if is_list else json_lines(lines))]
    records = [flattened(value) if isinstance(value, dict) else None for _, value in values]
    header = column_names(list(dict.fromkeys(key for record in records for key in record or ())), name)
    has_undecodable = UNDECODABLE.search(content) is not None

    def row(line: int, record: dict[str, Any] | None) -> Row:
        if record is None:
            return Row(line, [None] * len(header), "row: not a JSON object")
        is_bad = has_undecodable and UNDECODABLE.search(json.dumps(record, ensure_ascii=False))
        return Row(line, [record.get(key) for key in header], fault if is_bad else None)

    return [Part("", header, batches(row(line, record) for (line, _), record in zip(values, records, strict=True)))]


def read_parquet(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The rows of a Parquet file, numbered from 2; fields of structs are columns by their path."""
    import pyarrow.parquet as pq

    table = flat_table(pq.ParquetFile(file).read())
    return [Part("", column_names(table.column_names, name), arrow_batches(table, 2))]


def flat_table(table: pa.Table) -> pa.Table:
    """A table with the fields of structs as columns, named by their path."""
    while any(pa.types.is_struct(field.type) and field.type.num_fields for field in table.schema):
        table = table.flatten()
    return table


def arrow_batches(table: pa.Table, first_line: int) -> Iterator[Batch]:
    """The rows of a table in batches, with lines from `first_line` on."""
    for batch in table.to_batches(max_chunksize=ROWS_A_BATCH):
        yield Batch(np.arange(first_line, first_line + batch.num_rows), batch.columns)
        first_line += batch.num_rows


READERS: dict[str, Callable[[IO[bytes], str, FileFormat], list[Part]]] = {
    "csv": lambda file, name, reading: [Part("", *read_csv(file, name, reading))],
    "excel": read_excel,
    "jsonl": read_json,
    "parquet": read_parquet,
}


def _sheet(sheet: Any, name: str, reading: FileFormat) -> tuple[list[str], Iterator[Batch]]:
    # Programs other than Excel often store a wrong sheet size.
    sheet.reset_dimensions()
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    filled = ((line, cells) for line, cells in rows if any(cell is not None for cell in cells))
    header, lines = header_and_lines(filled, reading, name)
    width = len(header)
    if reading.names is not None:
        first = next(lines, None)
        lines = itertools.chain([first] if first else [], lines)
        if first and any(cell is not None for cell in first[1][width:]):
            raise SourceError(f"{name}: row {first[0]} has more cells than the {width} of `names`: name all columns")
    return header, batches(Row(line, [*cells, *[None] * width][:width]) for line, cells in lines)


def _sheet_titles(book: Any, name: str, pattern: str | None) -> list[str]:
    """The titles of the sheets to read; hidden ones only if they are named in full."""
    visible = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if pattern is None:
        if not visible:
            raise SourceError(f"{name}: all its sheets are hidden: name one of {', '.join(book.sheetnames)} as `sheet`")
        if others := visible[1:]:
            hint = f"reading only sheet {visible[0]!r}, not {', '.join(others)}; `sheet` names others"
            print(f"homei: {name}: {hint}", file=sys.stderr)  # noqa: T201
        return visible[:1]
    titles = [pattern] if pattern in book.sheetnames else [title for title in visible if fnmatchcase(title, pattern)]
    if not titles:
        hidden = ", ".join(f"{title} (hidden)" for title in book.sheetnames if title not in visible)
        raise SourceError(f"{name}: has no sheet {pattern!r}, only {', '.join(filter(None, [*visible, hidden]))}")
    return titles
