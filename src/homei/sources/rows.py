"""Rows of any file as text: what a typed cell reads as, where the columns' names stand, and where the rows end."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.source import Reading

BATCH = 5_000  # rows held as lists of cells: more of them keep the garbage collector busy
Line = tuple[int, Sequence[Any]]  # its number, from 1, and its cells


class SourceError(ValueError):
    """A source that isn't there, can't be read, or lacks what its YAML declares."""


class UnreadableError(SourceError):
    """A file of which nothing can be read: half written perhaps, or broken."""


class Row(NamedTuple):
    line: int
    cells: Sequence[Any]
    fault: str | None = None  # why it is no row of its file


class Batch(NamedTuple):
    """Rows column by column; `faults` is null where no row has any."""

    lines: np.ndarray
    columns: Sequence[Sequence[Any] | pa.Array]
    faults: Sequence[str | None] | None = None


def batches(rows: Iterable[Row], size: int = BATCH) -> Iterator[Batch]:
    """The rows in batches, in their order."""
    rows = iter(rows)
    while batch := list(itertools.islice(rows, size)):
        lines, cells, faults = zip(*batch, strict=True)
        yield Batch(np.array(lines, dtype=np.int64), list(zip(*cells, strict=True)), faults)


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


def texts(cells: Sequence[Any] | pa.Array) -> pa.Array:
    """A column's cells as `text` makes them, at once where all of them are texts already."""
    try:
        array = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([text(cell) for cell in cells], pa.string())
    return pc.if_else(pc.equal(array, ""), None, array)


def numbers(cells: Sequence[Any] | pa.Array) -> np.ndarray:
    """Which cells came as numbers, not as texts that look like them."""
    if isinstance(cells, pa.Array) or {*map(type, cells)} <= {str, type(None)}:
        return np.zeros(len(cells), dtype=bool)
    return np.array([isinstance(cell, Number) and not isinstance(cell, bool) for cell in cells])


def table(lines: Iterable[Line], reading: Reading, name: str) -> tuple[list[str], Iterator[Line]]:
    """The columns' names and the lines of the rows, between the titles above and the totals below.

    `lines` are those that aren't blank. Raises UnreadableError where none is left to name the columns.
    """
    lines = iter(lines)
    if reading.header is not None:
        lines = itertools.dropwhile(lambda line: line[0] < reading.header, lines)
    above = [cells for _, cells in itertools.islice(lines, reading.header_lines)]
    header = names(_joined(above), name)
    if reading.footer is None:
        return header, lines
    footer = reading.footer.casefold()
    return header, itertools.takewhile(lambda line: not _begins_with(line[1], footer), lines)


def names(cells: Sequence[Any], name: str) -> list[str]:
    """The columns' names; raises UnreadableError where there are none, SourceError where one repeats."""
    found = [(text(cell) or "").strip() for cell in cells]
    if not any(found):
        raise UnreadableError(f"{name}: is empty; a line of it should name the columns")
    if twice := sorted({one for one in found if one and found.count(one) > 1}):
        raise SourceError(f"{name}: names the column {', '.join(twice)} more than once")
    return found


def _joined(above: Sequence[Sequence[Any]]) -> list[str]:
    """The names of each column from top to bottom, put together with blanks.

    A merged cell's text stands in the first of its cells only. It counts for the next ones too where they have a name
    below; a cell that is merged downwards has none.
    """
    width = max(map(len, above), default=0)
    rows = [[(text(cell) or "").strip() for cell in [*cells, *[None] * (width - len(cells))]] for cells in above]
    for upper, lower in itertools.pairwise(rows):
        group = ""
        for at in range(width):
            group = upper[at] or group if lower[at] else ""
            upper[at] = upper[at] or group
    return [" ".join(filter(None, column)) for column in zip(*rows, strict=True)]


def _begins_with(cells: Sequence[Any], footer: str) -> bool:
    first = next((told for cell in cells if (told := (text(cell) or "").strip())), "")
    return first.casefold().startswith(footer)
