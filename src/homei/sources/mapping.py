"""A source's own columns under homei's names: taken, put together, looked up or constant; still as text."""

from __future__ import annotations

import difflib
import itertools
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from homei.source import Column, LookupFile
from homei.sources.files import Sheet
from homei.sources.rows import SourceError


@dataclass(frozen=True)
class Lookup:
    """A lookup file's rows, of which the first counts where a key repeats; None where the file is not there."""

    declared: LookupFile
    rows: pa.Table | None


def lookup_of(declared: LookupFile, sheet: Sheet | None) -> Lookup:
    """A lookup file ready for joining; raises SourceError where it lacks its key."""
    if sheet is None:
        return Lookup(declared, None)
    _require(sheet, [("lookup.key", declared.key)])
    return Lookup(declared, sheet.cells)


def mapped(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None = None) -> pa.Table:
    """The declared columns of a sheet, all text, null where a part is null or the lookup finds nothing.

    Raises SourceError naming the file, every column that it lacks, and the nearest one that it has.
    """
    _require(sheet, [need for name, column in declared.items() for need in needs(name, column)])
    found = None
    if any(column.lookup is not None for column in declared.values()):
        found = _looked_up(sheet, declared, lookup)
    return pa.table({name: _column(sheet, column, found) for name, column in declared.items()})


def filled(cells: pa.Table, template: str) -> pa.ChunkedArray:
    """A template such as "{block} {street}" for each row; null where any of its parts is."""
    pieces = [
        (pa.scalar(literal), cells[name] if name is not None else pa.scalar("")) for literal, name in _pieces(template)
    ]
    return pc.binary_join_element_wise(*itertools.chain(*pieces), "", null_handling="emit_null")


def _column(sheet: Sheet, column: Column, found: pa.Table | None) -> pa.Array | pa.ChunkedArray:
    rows = sheet.cells.num_rows
    if column.column is not None:
        cells, numbers = sheet.cells[column.column], sheet.numbers.get(column.column)
        return cells if column.decimal == "." or numbers is None else _with_comma(cells, numbers)
    if column.template is not None:
        return filled(sheet.cells, column.template)
    if column.constant is not None:
        return pa.repeat(pa.scalar(column.constant, pa.string()), rows)
    return pa.nulls(rows, pa.string()) if found is None else found[column.lookup]


def _with_comma(cells: pa.ChunkedArray, numbers: np.ndarray) -> pa.ChunkedArray:
    """Cells in the notation of their column, where workbooks mix numbers with texts that look like them."""
    return pc.if_else(pa.array(numbers), pc.replace_substring(cells, ".", ","), cells)


def _looked_up(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None) -> pa.Table | None:
    """The lookup file's row for each row of the sheet; None where the file is not there."""
    wanted = {name: column.lookup for name, column in declared.items() if column.lookup is not None}
    if lookup is None:
        raise SourceError(f"{', '.join(wanted)}: wants a lookup, but lookup names no file")
    if lookup.rows is None:
        return None
    for name, column in wanted.items():
        if column not in lookup.rows.column_names:
            raise SourceError(lacking(lookup.declared.file, column, name, lookup.rows.column_names))
    _require(sheet, [("lookup", part) for _, part in _pieces(lookup.declared.template) if part is not None])
    # The place of the first row of each key, which is what counts where one repeats.
    keys = lookup.rows[lookup.declared.key].to_pylist()
    places = {key: place for place, key in reversed([*enumerate(keys)]) if key is not None}
    asked = filled(sheet.cells, lookup.declared.template).to_pylist()
    return lookup.rows.take(pa.array([places.get(key) for key in asked], pa.int64()))


def needs(name: str, column: Column) -> list[tuple[str, str]]:
    """The columns of a feed that a declared one is made of, each after the name that asks for it."""
    if column.template is not None:
        return [(name, part) for _, part in _pieces(column.template) if part is not None]
    return [(name, column.column)] if column.column is not None else []


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """A template's literal texts, each with the column that follows it."""
    try:
        pieces = [(literal, name) for literal, name, _, _ in string.Formatter().parse(template)]
    except ValueError as error:
        raise SourceError(f"template {template!r}: {error}") from error
    if not any(name for _, name in pieces):
        raise SourceError(f"template {template!r}: names no column in braces; a fixed text is a constant")
    return pieces


def _require(sheet: Sheet, needed: Iterable[tuple[str, str]]) -> None:
    present = sheet.cells.column_names
    if absent := [lacking(sheet.name, column, name, present) for name, column in needed if column not in present]:
        raise SourceError("\n".join(absent))


def lacking(file: str, column: str, name: str, present: Iterable[str]) -> str:
    """What to say where a file or feed lacks a column that `name` asks for: with the nearest one that is `present`."""
    # Letters' case aside: `Price` is nearer to `price` than `prices` is.
    by_case = {str(other).casefold(): str(other) for other in present}
    nearest = difflib.get_close_matches(column.casefold(), by_case, n=1, cutoff=0.0)
    return f"{file}: has no column {column!r} (for {name}); the nearest is {by_case[nearest[0]]!r}"
