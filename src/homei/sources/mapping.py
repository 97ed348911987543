"""A source's own columns under homei's names: taken, put together, looked up or constant; still as text."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from homei.source import Column, LookupFile
from homei.sources.files import Sheet
from homei.sources.rows import SourceError, Typed


@dataclass(frozen=True)
class Lookup:
    """A lookup file's rows by their key, the first where a key repeats; None where the file is not there."""

    declared: LookupFile
    rows: pd.DataFrame | None


def lookup_of(declared: LookupFile, sheet: Sheet | None) -> Lookup:
    """A lookup file ready for joining; raises SourceError where it lacks its key."""
    if sheet is None:
        return Lookup(declared, None)
    _require(sheet, [("lookup.key", declared.key)])
    keyed = sheet.cells.dropna(subset=declared.key).drop_duplicates(declared.key)
    return Lookup(declared, keyed.set_index(declared.key))


def mapped(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None = None) -> pd.DataFrame:
    """The declared columns of a sheet, all text, null where a part is null or the lookup finds nothing.

    Raises SourceError naming the file, every column that it lacks, and the nearest one that it has.
    """
    _require(sheet, [need for name, column in declared.items() for need in needs(name, column)])
    found = None
    if any(column.lookup is not None for column in declared.values()):
        found = _looked_up(sheet, declared, lookup)
    columns = {name: _column(sheet.cells, column, found) for name, column in declared.items()}
    return pd.DataFrame(columns, index=sheet.cells.index, dtype=object)


def filled(cells: pd.DataFrame, template: str) -> pd.Series:
    """A template such as "{block} {street}" for each row; null where any of its parts is."""
    pieces = _pieces(template)
    pattern = "".join(literal.replace("%", "%%") + ("%s" if name is not None else "") for literal, name in pieces)
    rows = zip(*(cells[name] for _, name in pieces if name is not None), strict=True)
    values = [None if None in row else pattern % row for row in rows]
    return pd.Series(values, index=cells.index, dtype=object)


def _column(cells: pd.DataFrame, column: Column, found: pd.DataFrame | None) -> pd.Series:
    if column.column is not None:
        return cells[column.column] if column.decimal == "." else cells[column.column].map(_with_comma)
    if column.template is not None:
        return filled(cells, column.template)
    if column.constant is not None:
        return pd.Series(column.constant, index=cells.index, dtype=object)
    return pd.Series([None] * len(cells), index=cells.index) if found is None else found[column.lookup]


def _with_comma(cell: str | None) -> str | None:
    """A cell in the notation of its column, where workbooks mix numbers with texts that look like them."""
    return cell.replace(".", ",") if isinstance(cell, Typed) else cell


def _looked_up(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None) -> pd.DataFrame | None:
    """The lookup file's row for each row of the sheet; None where the file is not there."""
    wanted = {name: column.lookup for name, column in declared.items() if column.lookup is not None}
    if lookup is None:
        raise SourceError(f"{', '.join(wanted)}: wants a lookup, but lookup names no file")
    if lookup.rows is None:
        return None
    for name, column in wanted.items():
        if column not in lookup.rows.columns:
            raise SourceError(lacking(lookup.declared.file, column, name, lookup.rows.columns))
    _require(sheet, [("lookup", part) for _, part in _pieces(lookup.declared.template) if part is not None])
    found = lookup.rows.reindex(filled(sheet.cells, lookup.declared.template))
    return found.where(found.notna(), None).set_axis(sheet.cells.index)


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
    present = sheet.cells.columns
    if absent := [lacking(sheet.name, column, name, present) for name, column in needed if column not in present]:
        raise SourceError("\n".join(absent))


def lacking(file: str, column: str, name: str, present: Iterable[str]) -> str:
    """What to say where a file or feed lacks a column that `name` asks for: with the nearest one that is `present`."""
    # Letters' case aside: `Price` is nearer to `price` than `prices` is.
    by_case = {str(other).casefold(): str(other) for other in present}
    nearest = difflib.get_close_matches(column.casefold(), by_case, n=1, cutoff=0.0)
    return f"{file}: has no column {column!r} (for {name}); the nearest is {by_case[nearest[0]]!r}"
