"""One reader for each format: the columns' names and the rows of an open file."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import IO, Any

import numpy as np
import pyarrow as pa
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv

from homei.source import Reading
from homei.sources.rows import Batch, Line, Row, SourceError, batches, names, table

# What Python puts in place of a byte that the encoding can't read, so that one bad row doesn't stop the others.
_UNREADABLE = re.compile("[\udc80-\udcff]")
BLOCK = 1 << 20  # characters of a CSV file that are read at once

# A part of a file (its only one is nameless), the names of its columns, and its rows, to be taken while it is open.
Part = tuple[str, list[str], Iterator[Batch]]
Reader = Callable[[IO[bytes], str, Reading], list[Part]]


def read_csv(file: IO[bytes], name: str, reading: Reading) -> list[Part]:
    """The rows of a CSV file; a row's line is where it begins."""
    lines = _text(file, reading)
    cells = csv.reader(lines, delimiter=reading.delimiter)
    header, rest = table(_numbered(cells, name), reading, name)
    if reading.footer is not None:
        return [("", header, batches(_csv_row(line, row, header, reading.encoding) for line, row in rest))]
    return [("", header, _csv_batches(lines, cells.line_num + 1, header, reading, name))]


def read_excel(file: IO[bytes], name: str, reading: Reading) -> list[Part]:
    """The rows of a workbook's first sheet, or of each that `reading.sheet` names; lines are Excel's row numbers."""
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


def read_jsonl(file: IO[bytes], name: str, reading: Reading) -> list[Part]:
    """The objects of a JSON lines file; the columns are the keys of them all."""
    lines = [(line, content) for line, content in enumerate(_text(file, reading), 1) if content.strip()]
    objects = [_json_object(content) for _, content in lines]
    header = names(list(dict.fromkeys(key for values in objects for key in values or ())), name)
    unreadable = f"row: bytes that are not {reading.encoding}"
    rows = (
        Row(line, [None] * len(header), "row: not a JSON object")
        if values is None
        else Row(line, [values.get(key) for key in header], unreadable if _UNREADABLE.search(content) else None)
        for (line, content), values in zip(lines, objects, strict=True)
    )
    return [("", header, batches(rows))]


def read_parquet(file: IO[bytes], name: str, reading: Reading) -> list[Part]:
    """The rows of a Parquet file; a row's line is its position, the header counted as line 1."""
    import pyarrow.parquet as pq

    found = pq.ParquetFile(file).read()
    header = names(found.column_names, name)
    rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
    return [("", header, batches(Row(line, cells) for line, cells in enumerate(rows, 2)))]


READERS: dict[str, Reader] = {
    "csv": read_csv,
    "excel": read_excel,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def _text(file: IO[bytes], reading: Reading) -> IO[str]:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    # The csv module wants the ends of lines as they are.
    plain = gzip.GzipFile(fileobj=file) if packed else file
    return io.TextIOWrapper(plain, encoding=reading.encoding, errors="surrogateescape", newline="")


def _numbered(reader: Any, name: str, first: int = 1, end: float = math.inf) -> Iterator[Line]:
    """The rows that aren't blank lines, each with the line where it begins: from `first` to the one before `end`."""
    begins = first
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = first + reader.line_num
            if begins >= end:
                return
    except csv.Error as error:
        raise _unreadable(name, begins, error) from error


def _csv_batches(lines: IO[str], first: int, header: list[str], reading: Reading, name: str) -> Iterator[Batch]:
    """The rows below the header, from the line `first` on: whole blocks at once where each line is a row."""
    while block := lines.read(BLOCK):
        block += lines.readline()
        end = first + block.count("\n") + block.count("\r") - block.count("\r\n") + (block[-1] not in "\r\n")
        columns = _columns(block, len(header), reading.delimiter)
        if columns is not None and len(columns[0]) == end - first and not _is_open(columns[-1][-1].as_py()):
            yield Batch(np.arange(first, end), columns)
            first = end
        else:
            # Where the block ends in the midst of a row, the rest of it follows in the file.
            reader = csv.reader(itertools.chain(io.StringIO(block, newline=""), lines), delimiter=reading.delimiter)
            rows = _numbered(reader, name, first, end)
            yield from batches(_csv_row(line, cells, header, reading.encoding) for line, cells in rows)
            first += reader.line_num


def _columns(block: str, width: int, delimiter: str) -> list[pa.Array] | None:
    """The cells of a block of lines, by column; None where a row has not all of them, or a byte is unreadable."""
    names = [str(place) for place in range(width)]
    try:
        content = block.encode()
        rows = open_csv(
            pa.BufferReader(content),
            ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
            ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
            ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]),
        ).read_next_batch()
    except (pa.ArrowInvalid, UnicodeEncodeError, ValueError):
        return None
    return rows.columns


def _is_open(last: str | None) -> bool:
    """Whether a block's last cell has taken the end of its line in: its quotation mark is closed further down."""
    return last is not None and last[-1] in "\r\n"


def _unreadable(name: str, line: int, error: csv.Error) -> SourceError:
    return SourceError(f"{name}, line {line}: {error}; is a quotation mark left open?")


def _csv_row(line: int, cells: list[str], header: list[str], encoding: str) -> Row:
    width = len(header)
    # Exports often end each row with a delimiter too many; that loses nothing.
    while len(cells) > width and cells[-1] == "":
        cells.pop()
    if len(cells) != width:
        fault = f"row: {len(cells)} cells where the header has {width}"
    elif not (joined := "".join(cells)).isascii() and _UNREADABLE.search(joined):
        fault = f"row: bytes that are not {encoding}"
    else:
        return Row(line, cells)
    return Row(line, (cells + [""] * width)[:width], fault)


def _sheet(sheet: Any, name: str, reading: Reading) -> tuple[list[str], Iterator[Batch]]:
    # Programs other than Excel often note the sheet's size wrong.
    sheet.reset_dimensions()
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    filled = ((line, cells) for line, cells in rows if any(cell is not None for cell in cells))
    header, lines = table(filled, reading, name)
    width = len(header)
    return header, batches(Row(line, [*cells, *[None] * width][:width]) for line, cells in lines)


def _json_object(content: str) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return {name.strip(): cell for name, cell in value.items()} if isinstance(value, dict) else None
