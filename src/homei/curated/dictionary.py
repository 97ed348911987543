"""The data dictionary: what each curated table and column means, held against what is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from homei.report.page import page, table
from homei.source import Source

FILE = Path(__file__).with_name("dictionary.yaml")
Dictionary = Mapping[str, Mapping[str, Any]]


class DictionaryError(ValueError):
    """Tables and their dictionary that do not agree."""


def read_dictionary() -> Dictionary:
    """By table: `row`, what a row is, and `columns`, each with `type`, `meaning` and perhaps `unit`.

    A column's name may be a pattern, such as indicator_* for what a source's own series are called.
    """
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def check(dictionary: Dictionary, tables: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Holds tables (by name, their columns and types) against the dictionary.

    Raises DictionaryError naming every table and column without an entry, every entry without a column, every type that
    differs, and what an entry should not say: an unquoted comma makes two of one meaning.
    """
    wrong = [f"{name}: the dictionary has no such table" for name in tables if name not in dictionary]
    wrong += [f"{name}: there is no such table" for name in dictionary if name not in tables]
    wrong += [
        f"{name}.{column}: its entry says {', '.join(map(str, strays))}"
        for name, entry in dictionary.items()
        for column, said in entry["columns"].items()
        if (strays := [key for key in said if key not in ("type", "unit", "meaning")])
    ]
    for name in [name for name in tables if name in dictionary]:
        entries, present = dictionary[name]["columns"], dict(tables[name])
        for column, kind in present.items():
            entry = next((entry for told, entry in entries.items() if fnmatchcase(column, told)), None)
            if entry is None:
                wrong.append(f"{name}.{column}: the dictionary has no such column")
            elif entry["type"] != kind:
                wrong.append(f"{name}.{column}: is {kind}, and {entry['type']} in the dictionary")
        wrong += [
            f"{name}.{told}: there is no such column" for told in entries if "*" not in told and told not in present
        ]
    if wrong:
        raise DictionaryError("\n".join(wrong))


def dictionary_page(dictionary: Dictionary, source: Source) -> str:
    """The dictionary as an HTML page, a table for each curated one."""
    sections = []
    for name, entry in dictionary.items():
        rows = [{"column": column, "unit": "", **said} for column, said in entry["columns"].items()]
        shown = pd.DataFrame(rows)[["column", "type", "unit", "meaning"]]
        sections.append(f"<h2>{escape(name)}</h2><p>{escape(entry['row'])}</p>{table(shown)}")
    subtitle = f"{source.title} · as of {source.as_of} · money in {source.currency}"
    return page("Curated tables", "\n".join(sections), subtitle)
