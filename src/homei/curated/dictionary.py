"""The data dictionary of the curated tables, and its check against the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("dictionary.yaml")
Dictionary = Mapping[str, Mapping[str, Any]]


class DictionaryError(ValueError):
    """The tables differ from their dictionary; the message has one line per difference."""


def read_dictionary() -> Dictionary:
    """By table: `row` (what a row is) and `columns`, each with `type`, `meaning` and optionally `unit`.

    A column's name may be a pattern, such as indicator_* for the indicator series of a source.
    """
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def check_tables(dictionary: Dictionary, tables: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Checks tables (by name: their columns and types) against the dictionary.

    Raises DictionaryError for tables and columns without an entry, entries without a column, other types, and
    unexpected keys of an entry: an unquoted comma splits a meaning in two.
    """
    errors = [f"{name}: the dictionary has no such table" for name in tables if name not in dictionary]
    errors += [f"{name}: there is no such table" for name in dictionary if name not in tables]
    for name, entry in dictionary.items():
        errors += _unexpected_keys(name, entry["columns"])
        if name in tables:
            errors += _column_errors(name, entry["columns"], dict(tables[name]))
    if errors:
        raise DictionaryError("\n".join(errors))


def _unexpected_keys(table: str, entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for column, entry in entries.items():
        if keys := [str(key) for key in entry if key not in ("type", "unit", "meaning")]:
            yield f"{table}.{column}: unexpected keys {', '.join(keys)}; put the meaning in quotation marks"


def _column_errors(table: str, entries: Mapping[str, Mapping[str, Any]], columns: Mapping[str, str]) -> Iterator[str]:
    for column, kind in columns.items():
        entry = next((entry for pattern, entry in entries.items() if fnmatchcase(column, pattern)), None)
        if entry is None:
            yield f"{table}.{column}: the dictionary has no such column"
        elif entry["type"] != kind:
            yield f"{table}.{column}: is {kind}, and {entry['type']} in the dictionary"
    for column in entries:
        if "*" not in column and column not in columns:
            yield f"{table}.{column}: there is no such column"
