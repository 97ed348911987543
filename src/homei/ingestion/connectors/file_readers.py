"""One reader for each file format: the column names and the rows of an open file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import IO, Any

from homei.config.feeds import FileFormat
from homei.ingestion.connectors.csv_reader import UNDECODABLE, open_text, read_csv
from homei.ingestion.connectors.text_rows import Batch, Row, SourceError, batches, column_names, header_and_lines

# A part of a file: its name (empty if the file has one part), its column names, and its rows, read lazily.
Part = tuple[str, list[str], Iterator[Batch]]


def read_excel(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The rows of a workbook's first sheet, or of each sheet that matches `reading.sheet`."""
    import openpyxl

    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    if reading.sheet is None:
        return [("", *_sheet(book.worksheets[0], name, reading))]
    titles = [title for title in book.sheetnames if title == reading.sheet or fnmatchcase(title, reading.sheet)]
    if not titles:
        raise SourceError(f"{name}: has no sheet {reading.sheet!r}, only {', '.join(book.sheetnames)}")
    if titles == [reading.sheet]:
        return [("", *_sheet(book[reading.sheet], name, reading))]
    return [(f"#{title}", *_sheet(book[title], f"{name}#{title}", reading)) for title in titles]


def read_jsonl(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The objects of a JSON lines file; the columns are all their keys."""
    lines = [(line, content) for line, content in enumerate(open_text(file, reading), 1) if content.strip()]
    objects = [_json_object(content) for _, content in lines]
    header = column_names(list(dict.fromkeys(key for values in objects for key in values or ())), name)
    undecodable = f"row: bytes that are not {reading.encoding}"
    rows = (
        Row(line, [None] * len(header), "row: not a JSON object")
        if values is None
        else Row(line, [values.get(key) for key in header], undecodable if UNDECODABLE.search(content) else None)
        for (line, content), values in zip(lines, objects, strict=True)
    )
    return [("", header, batches(rows))]


def read_parquet(file: IO[bytes], name: str, reading: FileFormat) -> list[Part]:
    """The rows of a Parquet file, numbered from 2 as if the header were line 1."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file).read()
    header = column_names(table.column_names, name)
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return [("", header, batches(Row(line, cells) for line, cells in enumerate(rows, 2)))]


READERS: dict[str, Callable[[IO[bytes], str, FileFormat], list[Part]]] = {
    "csv": lambda file, name, reading: [("", *read_csv(file, name, reading))],
    "excel": read_excel,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def _sheet(sheet: Any, name: str, reading: FileFormat) -> tuple[list[str], Iterator[Batch]]:
    # Programs other than Excel often store a wrong sheet size.
    sheet.reset_dimensions()
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    filled = ((line, cells) for line, cells in rows if any(cell is not None for cell in cells))
    header, lines = header_and_lines(filled, reading, name)
    width = len(header)
    return header, batches(Row(line, [*cells, *[None] * width][:width]) for line, cells in lines)


def _json_object(content: str) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return {name.strip(): cell for name, cell in value.items()} if isinstance(value, dict) else None
