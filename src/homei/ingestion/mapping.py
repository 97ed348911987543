"""Mapping of a source's columns to canonical columns, still as text."""

from __future__ import annotations

import datetime
import difflib
import itertools
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from homei.config.columns import Column
from homei.config.feeds import Feed
from homei.config.file_formats import LookupFile
from homei.config.texts import normal_text
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.connectors.text_files import DELIMITERS
from homei.ingestion.connectors.text_rows import SourceError, normal_texts

_VALUE = re.compile(
    r"[-+]?[0-9][0-9.,]*|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*|\{?[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}\}?"
)
_ESCAPED = re.compile(r"\\udc[89a-f][0-9a-f]")  # a byte that could not be decoded
_SERIAL = re.compile(r"([1-9][0-9]{4})([.,][0-9]+)?")


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
    return pa.table(
        {name: _extracted(_column(sheet, column, lookup_rows), column.pattern) for name, column in declared.items()}
    )


def exclusions(sheet: Sheet, feed: Feed) -> pa.Array | pa.ChunkedArray:
    """Why each row is no record, as the feed's `include` and `exclude` declare; null for records.

    An empty cell has the value "". Raises SourceError for a column that the sheet lacks.
    """
    _check_columns(sheet, [(key, name) for key in ("include", "exclude") for name in getattr(feed, key)])
    reasons = pa.nulls(sheet.cells.num_rows, pa.string())
    declared = [(name, values, False) for name, values in feed.exclude.items()]
    declared += [(name, values, True) for name, values in feed.include.items()]
    for name, values, is_kept in declared:
        cells = normal_texts(pc.fill_null(sheet.cells[name], ""))
        has_value = pc.is_in(cells, pa.array(values, pa.string()))
        is_excluded = pc.invert(has_value) if is_kept else has_value
        reason = pc.binary_join_element_wise(f"{name} = ", cells, "")
        reason = pc.if_else(is_excluded, reason, None)
        reasons = pc.coalesce(pc.binary_join_element_wise(reasons, reason, "; "), reasons, reason)
    return reasons


def source_columns(name: str, column: Column) -> list[tuple[str, str]]:
    """The columns of the feed that a canonical column is made of, each as (`name`, feed's column)."""
    if column.template is not None:
        return [(name, part) for _, part in _template_parts(column.template) if part is not None]
    return [(name, column.column)] if column.column is not None else []


def missing_column(file: str, column: str, name: str, present: Iterable[str]) -> str:
    """The error message for a column that `file` lacks and `name` is mapped to."""
    lacks, present = f"{file}: has no column {column!r} (for {name})", [str(other) for other in present]
    if len(present) == 1 and (marks := [mark for mark in DELIMITERS if mark in present[0]]):
        return f"{lacks}: its first line became one name, as if it had one cell: declare `delimiter: {marks[0]!r}`"
    if any(_ESCAPED.search(other) for other in present):
        return f"{lacks}: its column names have bytes that are not UTF-8: declare its `encoding`, such as cp1252"
    # Ignoring case, `Price` is more similar to `price` than `prices` is.
    by_lower_case = {other.casefold(): other for other in present}
    nearest = difflib.get_close_matches(column.casefold(), by_lower_case, n=1, cutoff=0.0)
    if len(present) < 2:
        return f"{lacks}, only {', '.join(map(repr, present))}: check `header`, the line of the names, and `delimiter`"
    return f"{lacks}; the most similar one is {by_lower_case[nearest[0]]!r}"


def _column(sheet: Sheet, column: Column, lookup_rows: pa.Table | None) -> pa.Array | pa.ChunkedArray:
    if column.column is not None:
        cells, is_number = sheet.cells[column.column], sheet.number_masks.get(column.column)
        if column.serial is True and sheet.first_year == 1904:
            return _days_since_1904(cells)
        if column.decimal == "." or is_number is None:
            return cells
        # Workbooks mix numbers with texts in the column's notation: write all in that notation.
        return pc.if_else(pa.array(is_number), pc.replace_substring(cells, ".", ","), cells)
    if column.template is not None:
        return _filled_template(sheet.cells, column.template)
    if column.constant is not None:
        return pa.repeat(pa.scalar(column.constant, pa.string()), sheet.cells.num_rows)
    return pa.nulls(sheet.cells.num_rows, pa.string()) if lookup_rows is None else lookup_rows[column.lookup]


def _extracted(cells: pa.Array | pa.ChunkedArray, pattern: str | None) -> pa.Array | pa.ChunkedArray:
    """The group of a pattern in each text; texts without a match stay, so that parsing notices them."""
    if pattern is None:
        return cells
    texts = ((cell, cell is not None and re.search(pattern, cell)) for cell in cells.to_pylist())
    return pa.array([match[1] if match else cell for cell, match in texts], pa.string())


def _days_since_1904(cells: pa.ChunkedArray) -> pa.Array:
    """Serial numbers of a workbook that counts from 1904 as ISO dates; other cells unchanged."""
    numbers = ((cell, cell is not None and _SERIAL.fullmatch(cell)) for cell in cells.to_pylist())
    start = datetime.date(1904, 1, 1)
    days = [(start + datetime.timedelta(int(day[1]))).isoformat() if day else cell for cell, day in numbers]
    return pa.array(days, pa.string())


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
    keys = normal_texts(lookup.rows[lookup.declared.key]).to_pylist()
    first_row = {key: row for row, key in reversed([*enumerate(keys)]) if key is not None}
    rows = [first_row.get(key) for key in normal_texts(_filled_template(sheet.cells, template)).to_pylist()]
    if n_unknown := rows.count(None):
        hint = f"{n_unknown:,} of {len(rows):,} rows have no row in {lookup.declared.file}"
        print(f"homei: {sheet.name}: {hint}, by {template!r}", file=sys.stderr)  # noqa: T201
    return lookup.rows.take(pa.array(rows, pa.int64()))


def _filled_template(cells: pa.Table, template: str) -> pa.ChunkedArray:
    """A template such as "{block} {street}" for each row, without empty parts and their blanks."""
    pieces, are_empty, is_partial = [], True, False
    for text, name in _template_parts(template):
        pieces.append(pa.scalar(text))
        if name is not None:
            pieces.append(pc.fill_null(cells[name], ""))
            is_empty = pc.is_null(cells[name])
            are_empty, is_partial = pc.and_(are_empty, is_empty), pc.or_(is_partial, is_empty)
    filled = pc.binary_join_element_wise(*pieces, "")
    tidy = pc.utf8_trim_whitespace(pc.replace_substring_regex(filled, r"\s+", " "))
    return pc.if_else(are_empty, None, pc.if_else(is_partial, tidy, filled))


def _template_parts(template: str) -> list[tuple[str, str | None]]:
    """A template's literal texts, each with the column that follows it."""
    parts = re.split(r"\{([^{}]+)\}", template)
    texts, names = parts[::2], parts[1::2]
    if any(mark in text for text in texts for mark in "{}"):
        raise SourceError(f"template {template!r}: a brace is not closed, or encloses nothing")
    if not names:
        raise SourceError(f"template {template!r}: has no column in braces; declare a fixed text as constant")
    return list(itertools.zip_longest(texts, map(normal_text, names)))


def _check_columns(sheet: Sheet, pairs: Sequence[tuple[str, str]]) -> None:
    present, errors = sheet.cells.column_names, []
    missing = [pair for pair in pairs if pair[1] not in present and pair[1] not in sheet.repeated]
    if missing and sum(bool(_VALUE.fullmatch(other)) for other in present) > 1:
        wanted = ", ".join(dict.fromkeys(repr(column) for _, column in missing))
        # Cells of a row may be personal data.
        raise SourceError(
            f"{sheet.name}: its first line looks like a row, not like column names, among which {wanted} are missing: "
            "declare the names of all its columns, `names: […]`, or the line of the names, such as `header: 3`"
        )
    for name, column in pairs:
        if column in sheet.repeated:
            first = f"{column} (1)"
            errors.append(f"{sheet.name}: has several columns {column!r} (for {name}): name one of them, {first!r}, …")
        elif column not in present:
            errors.append(missing_column(sheet.name, column, name, present))
    if errors:
        raise SourceError("\n".join(errors))
