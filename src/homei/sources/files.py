"""Files of rows, CSV, Excel, JSON lines or Parquet, read as text with the line of each row."""

from __future__ import annotations

import csv
import datetime
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config import Reading

SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# What Python puts in place of a byte that the encoding can't read, so that one bad row doesn't stop the others.
_UNREADABLE = re.compile("[\udc80-\udcff]")
_FAILURES = (OSError, ValueError, LookupError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error)


class SourceError(ValueError):
    """A source's file that isn't there, can't be read, or lacks what the source declares."""


@dataclass(frozen=True)
class Sheet:
    """The rows of one file: `cells` as text (null where empty), `lines` from 1, `faults` of rows that are no rows."""

    name: str
    cells: pd.DataFrame
    lines: np.ndarray
    faults: np.ndarray


class _Row(NamedTuple):
    line: int
    cells: Sequence[Any]
    fault: str | None = None


def read(path: Path, reading: Reading) -> Sheet:
    """The rows of a file, blank ones left out.

    A row's line is where it begins in a CSV or JSON lines file, even after blank lines and cells that span lines; in
    Excel its row number, in Parquet its position with the header counted as line 1. A row that can't be read (not as
    many cells as the header, unreadable bytes, no JSON object) stays, with its fault.
    Raises SourceError naming the file where nothing of it can be read.
    """
    kind = _format_of(path) if reading.format == "auto" else reading.format
    try:
        header, rows = {"csv": _csv, "excel": _excel, "jsonl": _jsonl, "parquet": _parquet}[kind](path, reading)
        texts = [row._replace(cells=[*map(text, row.cells)]) for row in rows]
    except SourceError:
        raise
    except _FAILURES as error:
        raise SourceError(f"{path}: can't be read as {kind} ({error})") from error
    kept = [row for row in texts if row.fault or any(cell is not None for cell in row.cells)]
    return Sheet(
        path.name,
        pd.DataFrame([row.cells for row in kept], columns=header, dtype=object),
        np.array([row.line for row in kept], dtype=np.int64),
        np.array([row.fault for row in kept], dtype=object),
    )


def text(value: Any) -> str | None:
    """A typed cell as plain text: ISO dates, whole numbers without a trailing .0, null for what is empty or NaN."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        # Half a surrogate pair is no text that could be stored.
        return (value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _format_of(path: Path) -> str:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in SUFFIXES:
        raise SourceError(f"{path}: the name doesn't tell the format: set format to csv, excel, jsonl or parquet")
    return SUFFIXES[suffix.lower()]


def _open(path: Path, encoding: str) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    # The csv module wants the ends of lines as they are.
    return (gzip.open if packed else open)(path, "rt", encoding=encoding, errors="surrogateescape", newline="")


def _csv(path: Path, reading: Reading) -> tuple[list[str], list[_Row]]:
    with _open(path, reading.encoding) as file:
        lines = _numbered(csv.reader(file, delimiter=reading.delimiter), path)
        header = _header(next((cells for _, cells in lines), []), path)
        return header, [_csv_row(line, cells, header, reading.encoding) for line, cells in lines]


def _numbered(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't blank lines, each with the line where it begins."""
    begins = 1
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path}, line {begins}: {error}; is a quotation mark left open?") from error


def _csv_row(line: int, cells: list[str], header: list[str], encoding: str) -> _Row:
    width = len(header)
    # Exports often end each row with a delimiter too many; that loses nothing.
    while len(cells) > width and cells[-1] == "":
        cells.pop()
    if len(cells) != width:
        fault = f"row: {len(cells)} cells where the header has {width}"
    elif _UNREADABLE.search("".join(cells)):
        fault = f"row: bytes that are not {encoding}"
    else:
        return _Row(line, cells)
    return _Row(line, (cells + [""] * width)[:width], fault)


def _excel(path: Path, reading: Reading) -> tuple[list[str], list[_Row]]:
    import openpyxl

    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        if reading.sheet is not None and reading.sheet not in book.sheetnames:
            raise SourceError(f"{path}: has no sheet {reading.sheet!r}, only {', '.join(book.sheetnames)}")
        sheet = book[reading.sheet] if reading.sheet else book.worksheets[0]
        # Programs other than Excel often note the sheet's size wrong.
        sheet.reset_dimensions()
        rows = enumerate(sheet.iter_rows(values_only=True), 1)
        filled = [(line, cells) for line, cells in rows if any(cell is not None for cell in cells)]
    header = _header(filled[0][1] if filled else [], path)
    width = len(header)
    return header, [_Row(line, [*cells, *[None] * width][:width]) for line, cells in filled[1:]]


def _jsonl(path: Path, reading: Reading) -> tuple[list[str], list[_Row]]:
    with _open(path, reading.encoding) as file:
        lines = [(line, content) for line, content in enumerate(file, 1) if content.strip()]
    objects = [_json_object(content) for _, content in lines]
    header = _header(list(dict.fromkeys(name for values in objects for name in values or ())), path)
    unreadable = f"row: bytes that are not {reading.encoding}"
    return header, [
        _Row(line, [None] * len(header), "row: not a JSON object")
        if values is None
        else _Row(line, [values.get(name) for name in header], unreadable if _UNREADABLE.search(content) else None)
        for (line, content), values in zip(lines, objects, strict=True)
    ]


def _json_object(content: str) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return {name.strip(): cell for name, cell in value.items()} if isinstance(value, dict) else None


def _parquet(path: Path, reading: Reading) -> tuple[list[str], list[_Row]]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    header = _header(table.column_names, path)
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return header, [_Row(line, cells) for line, cells in enumerate(rows, 2)]


def _header(cells: Sequence[Any], path: Path) -> list[str]:
    names = [(text(cell) or "").strip() for cell in cells]
    if not any(names):
        raise SourceError(f"{path}: is empty; the first row should name the columns")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise SourceError(f"{path}: names the column {', '.join(twice)} more than once")
    return names
