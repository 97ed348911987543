"""Mapping of a source's columns to canonical columns, still as text."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from homei.config.feeds import Column, LookupFile
from homei.ingestion.connectors.files import Sheet
from homei.ingestion.connectors.text_rows import SourceError


@dataclass(frozen=True)
class Lookup:
    """A lookup file's rows, None if the optional file does not exist."""

    declared: LookupFile
    rows: pa.Table | None


def lookup_of(declared: LookupFile, sheet: Sheet | None) -> Lookup:
    """A lookup file for `mapped`; raises SourceError if it lacks its key column."""
    if sheet is None:
        return Lookup(declared, None)
    _check_columns(sheet, [("lookup.key", declared.key)])
    return Lookup(declared, sheet.cells)


def mapped(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None = None) -> pa.Table:
    """The declared columns of a sheet as text, null where a part is null or the lookup has no row.

    Raises SourceError naming the file, every missing column and the most similar present one.
    """
    _check_columns(sheet, [pair for name, column in declared.items() for pair in source_columns(name, column)])
    lookup_rows = None
    if any(column.lookup is not None for column in declared.values()):
        lookup_rows = _looked_up(sheet, declared, lookup)
    return pa.table({name: _column(sheet, column, lookup_rows) for name, column in declared.items()})


def source_columns(name: str, column: Column) -> list[tuple[str, str]]:
    """The columns of the feed that a canonical column is made of, each as (`name`, feed's column)."""
    if column.template is not None:
        return [(name, part) for _, part in _template_parts(column.template) if part is not None]
    return [(name, column.column)] if column.column is not None else []


def missing_column(file: str, column: str, name: str, present: Iterable[str]) -> str:
    """The error message for a column that `file` lacks and `name` is mapped to."""
    # Ignoring case, `Price` is more similar to `price` than `prices` is.
    by_lower_case = {str(other).casefold(): str(other) for other in present}
    nearest = difflib.get_close_matches(column.casefold(), by_lower_case, n=1, cutoff=0.0)
    return f"{file}: has no column {column!r} (for {name}); the most similar one is {by_lower_case[nearest[0]]!r}"


def _column(sheet: Sheet, column: Column, lookup_rows: pa.Table | None) -> pa.Array | pa.ChunkedArray:
    if column.column is not None:
        cells, is_number = sheet.cells[column.column], sheet.number_masks.get(column.column)
        if column.decimal == "." or is_number is None:
            return cells
        # Workbooks mix numbers with texts in the column's notation: write all in that notation.
        return pc.if_else(pa.array(is_number), pc.replace_substring(cells, ".", ","), cells)
    if column.template is not None:
        return _filled_template(sheet.cells, column.template)
    if column.constant is not None:
        return pa.repeat(pa.scalar(column.constant, pa.string()), sheet.cells.num_rows)
    return pa.nulls(sheet.cells.num_rows, pa.string()) if lookup_rows is None else lookup_rows[column.lookup]


def _looked_up(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None) -> pa.Table | None:
    """The lookup file's row for each row of the sheet; None if the optional file does not exist."""
    columns = {name: column.lookup for name, column in declared.items() if column.lookup is not None}
    if lookup is None:
        raise SourceError(f"{', '.join(columns)}: needs a lookup file: declare one under lookup")
    if lookup.rows is None:
        return None
    present = lookup.rows.column_names
    for name, column in columns.items():
        if column not in present:
            raise SourceError(missing_column(lookup.declared.file, column, name, present))
    template = lookup.declared.template
    _check_columns(sheet, [("lookup", part) for _, part in _template_parts(template) if part is not None])
    keys = lookup.rows[lookup.declared.key].to_pylist()
    first_row = {key: row for row, key in reversed([*enumerate(keys)]) if key is not None}
    rows = [first_row.get(key) for key in _filled_template(sheet.cells, template).to_pylist()]
    return lookup.rows.take(pa.array(rows, pa.int64()))


def _filled_template(cells: pa.Table, template: str) -> pa.ChunkedArray:
    """A template such as "{block} {street}" for each row; null where any of its parts is."""
    pieces = []
    for text, name in _template_parts(template):
        pieces += [pa.scalar(text), cells[name] if name is not None else pa.scalar("")]
    return pc.binary_join_element_wise(*pieces, "", null_handling="emit_null")


def _template_parts(template: str) -> list[tuple[str, str | None]]:
    """A template's literal texts, each with the column that follows it."""
    try:
        parts = [(text, name) for text, name, _, _ in string.Formatter().parse(template)]
    except ValueError as error:
        raise SourceError(f"template {template!r}: {error}") from error
    if not any(name for _, name in parts):
        raise SourceError(f"template {template!r}: has no column in braces; declare a fixed text as constant")
    return parts


def _check_columns(sheet: Sheet, pairs: Iterable[tuple[str, str]]) -> None:
    present = sheet.cells.column_names
    if errors := [missing_column(sheet.name, column, name, present) for name, column in pairs if column not in present]:
        raise SourceError("\n".join(errors))
