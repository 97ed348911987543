"""Rows of any source as text: conversion of cells, header with column names, and footer."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.config.file_formats import FileFormat
from homei.config.texts import normal_text
from homei.ingestion.connectors.typed_cells import number_mask, plain_texts, python_values

EXACT = 2**53  # the limit below which a float holds every whole number
ROWS_A_BATCH = 5_000  # larger batches slow down Python's garbage collector
Line = tuple[int, Sequence[Any]]  # its number, from 1, and its cells
_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)")


class SourceError(ValueError):
    """A source that is missing, can't be read, or does not have what its configuration declares."""


class UnreadableError(SourceError):
    """A file that is broken or still being written."""


class Row(NamedTuple):
    line: int
    cells: Sequence[Any]
    fault: str | None = None  # why it can't be read as a row of its file


class Batch(NamedTuple):
    """Rows by column; `faults` is None if no row has one."""

    lines: np.ndarray
    columns: Sequence[Sequence[Any] | pa.Array]
    faults: Sequence[str | None] | None = None


def expanded(text: str, key: str) -> str:
    """`text` with each `$NAME` replaced by that environment variable.

    Raises SourceError where one is not set. `key` is the configuration key of `text`. Addresses and passwords are
    declared so: secrets are not parameters.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SourceError(f"{key}: the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)


def batches(rows: Iterable[Row], size: int = ROWS_A_BATCH) -> Iterator[Batch]:
    """The rows in batches, in their order."""
    rows = iter(rows)
    while batch := list(itertools.islice(rows, size)):
        lines, cells, faults = zip(*batch, strict=True)
        yield Batch(np.array(lines, dtype=np.int64), list(zip(*cells, strict=True)), faults)


def text(value: Any) -> str | None:
    """A cell as text: dates in ISO 8601, whole numbers without `.0`, None for empty cells and NaN."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        # A lone surrogate can't be stored as UTF-8.
        return (value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return None
        if abs(value) >= EXACT:
            return f"{value:.15g}"  # 1.4082e+19: its last digits are lost, and this says so
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime):
        # An instant at midnight is a day in its own time zone only.
        is_day = value.time() == datetime.time() and value.tzinfo is None
        return (value.date() if is_day else value).isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def texts(cells: Sequence[Any] | pa.Array) -> pa.Array:
    """A column's cells as `text` makes them; a column of nothing but texts is converted as a whole."""
    if isinstance(cells, pa.Array) and not pa.types.is_string(cells.type):
        array = plain_texts(cells)
        return texts(python_values(cells) if array is None else array)
    try:
        array = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([text(cell) for cell in cells], pa.string())
    return pc.if_else(pc.equal(array, ""), None, array)


def normal_texts(cells: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The cells in the form of `normal_text`."""
    composed = pc.replace_substring_regex(pc.utf8_normalize(cells, "NFC"), "[\ufeff\u200b]", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(composed, r"[\s\p{Z}]+", " "))


def is_number(cells: Sequence[Any] | pa.Array) -> np.ndarray:
    """A mask of the cells whose type is a number; texts that look like numbers are none."""
    if isinstance(cells, pa.Array):
        return number_mask(cells)
    if {*map(type, cells)} <= {str, type(None)}:
        return np.zeros(len(cells), dtype=bool)
    return np.array([isinstance(cell, Number) and not isinstance(cell, bool) for cell in cells])


def header_and_lines(lines: Iterable[Line], reading: FileFormat, file: str) -> tuple[list[str], Iterator[Line]]:
    """The column names, and the lines between titles above the header and totals below the rows.

    `lines` has no blank lines. Raises UnreadableError if none of them has the column names.
    """
    lines = iter(lines)
    if reading.names is not None:
        header = reading.names
    else:
        if reading.header is not None:
            lines = itertools.dropwhile(lambda line: line[0] < reading.header, lines)
        header = column_names(_joined([cells for _, cells in itertools.islice(lines, reading.header_lines)]), file)
    if reading.footer is None:
        return header, lines
    footer = reading.footer.casefold()
    return header, itertools.takewhile(lambda line: not _first_text(line[1]).casefold().startswith(footer), lines)


def column_names(cells: Sequence[Any], file: str) -> list[str]:
    """The column names, of which some may repeat; raises UnreadableError if all are empty."""
    names = [_stripped(cell) for cell in cells]
    if not any(names):
        raise UnreadableError(f"{file}: is empty; one line of it must hold the column names")
    return names


def _joined(header_lines: Sequence[Sequence[Any]]) -> list[str]:
    """The names of each column from top to bottom, joined with spaces.

    A cell that is merged over several columns has its text in the first one. The text also applies to the columns
    after it if they have a name below. A cell that is merged downwards has no text below.
    """
    width = max(map(len, header_lines), default=0)
    rows = [[_stripped(cell) for cell in [*cells, *[None] * (width - len(cells))]] for cells in header_lines]
    for upper, lower in itertools.pairwise(rows):
        group = ""
        for column in range(width):
            group = upper[column] or group if lower[column] else ""
            upper[column] = upper[column] or group
    return [" ".join(filter(None, column)) for column in zip(*rows, strict=True)]


def _first_text(cells: Sequence[Any]) -> str:
    return next(filter(None, map(_stripped, cells)), "")


def _stripped(cell: Any) -> str:
    return normal_text(text(cell) or "")
