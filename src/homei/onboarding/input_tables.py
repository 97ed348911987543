"""The tables that `homei init` was given: files of one layout together, or a table of a database."""

from __future__ import annotations

import contextlib
import datetime
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from homei.config.file_formats import FileFormat
from homei.ingestion.connectors import files
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.connectors.sql import Sql
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import Span
from homei.ingestion.record_versions import change_times
from homei.onboarding.column_traits import ColumnTraits
from homei.onboarding.draft import OnboardingError
from homei.onboarding.encodings import ASCII
from homei.onboarding.file_sniffing import FormatGuess, guess_format
from homei.onboarding.profiles import profile
from homei.onboarding.words import CHANGED, contains, normalised

ROWS_READ = 100_000  # of a table of a database
LAST_MOMENT = datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC)
LONGEST_NAME = 24  # of a feed
ALIKE = 0.7  # the share of columns that files of one layout have in common


class ReadFile(NamedTuple):
    """The rows of one file."""

    path: Path
    format: FormatGuess
    sheets: list[Sheet]


@dataclass(frozen=True, eq=False)
class InputTable:
    """Rows with the same columns as text, their files (none for a database), and the guessed format."""

    name: str
    paths: tuple[Path, ...]
    format: FormatGuess
    sheet: Sheet
    traits: Mapping[str, ColumnTraits]
    connection: Mapping[str, Any] | None = None  # the keys of a feed from a database
    partial: tuple[str, ...] = ()  # columns that only some of the files have
    by_file: tuple[ReadFile, ...] = ()

    @property
    def has_names(self) -> bool:
        names = self.format.options.get("names")
        return names is None or not all(re.fullmatch(r"column_\d+", name) for name in names)

    @property
    def cells(self) -> pa.Table:
        return self.sheet.cells

    @property
    def file_numbers(self) -> np.ndarray:
        """The number of each row's file."""
        sizes = [sum(sheet.cells.num_rows for sheet in read.sheets) for read in self.by_file] or [self.n_rows]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def n_rows(self) -> int:
        return self.cells.num_rows


def read_files(paths: Sequence[Path], format_options: Mapping[str, Any]) -> list[InputTable]:
    """The tables in files, the largest first; raises SourceError for a file that can't be read."""
    read = [_read(path, format_options) for path in paths]
    groups: list[list[ReadFile]] = []
    for one in read:
        group = next((group for group in groups if all(_is_alike(other, one) for other in group)), None)
        groups.append([one]) if group is None else group.append(one)
    tables = [_table(group) for group in groups]
    return sorted(tables, key=lambda table: -table.n_rows)


def by_file(table: InputTable) -> list[InputTable]:
    """A table for each file of a table."""
    return [_table([read]) for read in table.by_file] if len(table.by_file) > 1 else [table]


def table_of(
    name: str, paths: Sequence[Path], guess: FormatGuess, sheets: Sequence[Sheet], connection: Any = None
) -> InputTable:
    """The table of sheets: with the columns that all of them have."""
    common = [
        column for column in sheets[0].cells.column_names
        if column and all(column in sheet.cells.column_names for sheet in sheets)
    ]  # fmt: skip
    others = {column for sheet in sheets for column in sheet.cells.column_names if column} - {*common}
    cells = pa.concat_tables([sheet.cells.select(common) for sheet in sheets]).combine_chunks()
    masks = {
        column: np.concatenate([sheet.number_masks.get(column, np.zeros(len(sheet.lines), bool)) for sheet in sheets])
        for column in common
    }
    is_excel = any(path.suffix.lower() in (".xlsx", ".xlsm") for path in paths)
    traits = {}
    for column in common:
        texts = profile(column, cells[column].filter(pa.array(~masks[column]))) if masks[column].any() else None
        traits[column] = ColumnTraits(profile(column, cells[column]), is_excel, texts)
    faults = pa.chunked_array([pa.nulls(0, pa.string())])
    lines = np.arange(cells.num_rows)
    sheet = Sheet(name, "", cells, lines, faults, masks, first_year=sheets[0].first_year)
    return InputTable(name, tuple(paths), guess, sheet, traits, connection, tuple(sorted(others)))


def slug(text: str, fallback: str = "main") -> str:
    """A text as a name of a feed or column: lower-case letters, digits and underscores."""
    plain = "_".join(re.findall(r"[a-z0-9]+", normalised(text)))
    return plain if re.match(r"[a-z]", plain) else f"{fallback}_{plain}".rstrip("_")


def _short(name: str) -> str:
    """A name cut after a whole word."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME].rpartition("_")[0] or name[:LONGEST_NAME]


def _read(path: Path, format_options: Mapping[str, Any]) -> ReadFile:
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    guess = guess_format(path, dict(format_options))
    # What the reader prints about a workbook's other sheets is a doubt of the guess.
    with contextlib.redirect_stderr(io.StringIO()):
        sheets = files.sheets(path, FileFormat(**guess.options))
    if not any(sheet.cells.num_rows for sheet in sheets):
        raise SourceError(f"{path}: has no rows below the column names")
    return ReadFile(path, guess, sheets)


def _is_alike(one: ReadFile, other: ReadFile) -> bool:
    """Whether two files can be read by one declaration."""
    if _layout(one) != _layout(other) or len({_encoding(one), _encoding(other)} - {"any"}) > 1:
        return False
    left, right = ({*read.sheets[0].cells.column_names} for read in (one, other))
    return len(left & right) >= ALIKE * len(left | right)


def _encoding(read: ReadFile) -> str | None:
    """The declared encoding; "any" for a file of plain ASCII, which all encodings read."""
    return "any" if read.format.reasons.get("encoding") == ASCII else read.format.options.get("encoding")


def _layout(read: ReadFile) -> dict[str, Any]:
    return {key: value for key, value in read.format.options.items() if key != "encoding"}


def _table(group: Sequence[ReadFile]) -> InputTable:
    paths = [read.path for read in group]
    stem = paths[0].name.split(".")[0]
    for path in paths[1:]:
        while not path.name.startswith(stem) and stem:
            stem = stem[:-1]
    sheets = [sheet for read in group for sheet in read.sheets]
    name = _short(slug(stem.rstrip("-_ 0123456789") or stem))
    formats = [read.format for read in group]
    table = table_of(name, paths, next((each for each in formats if "encoding" in each.options), formats[0]), sheets)
    return replace(table, by_file=tuple(group))


def read_database(url: str, table: str) -> InputTable:
    """The first rows of a table as text, with the feed's keys; raises SourceError if it can't be read."""
    feed = Sql(name="main", kind="sql", url=url, table=table, key=["-"], columns={})
    parts, n_rows = [], 0
    for part in feed.records(Span(None, LAST_MOMENT), {}):
        parts.append(pa.table([column.cast(pa.string()) for column in part.columns], names=part.column_names))
        n_rows += part.num_rows
        if n_rows >= ROWS_READ:
            break
    if not parts:
        raise OnboardingError(f"table {table} has no rows")
    cells = pa.concat_tables(parts)
    faults = pa.chunked_array([pa.nulls(cells.num_rows, pa.string())])
    sheet = Sheet(table, "", cells, np.arange(1, cells.num_rows + 1), faults)
    name = slug(table.rpartition(".")[2])
    read = table_of(name, (), FormatGuess({}, {}, {}), [sheet])
    keys = _primary_key(feed, table) or [column for column, traits in read.traits.items() if traits.is_unique][:1]
    if not keys:
        raise OnboardingError(
            f"table {table} has no primary key and no column of distinct ids: give it a view with one"
        )
    connection: dict[str, Any] = {"kind": "sql", "url": url, "table": table, "key": keys}
    if (changed := _changed_column(read.traits)) is not None:
        connection["changed"] = changed
    return table_of(name, (), FormatGuess({}, {}, {}), [sheet], connection)


def _changed_column(columns: Mapping[str, ColumnTraits]) -> str | None:
    """The column with the time of a record's last change: its name says so and all cells are times."""
    for name, traits in columns.items():
        is_named = contains(name, CHANGED) and traits.profile.coverage == 1.0
        if is_named and change_times(pa.array(traits.profile.tested.values)).notna().all():
            return name
    return None


def _primary_key(feed: Sql, table: str) -> list[str]:
    from sqlalchemy import inspect
    from sqlalchemy.exc import NoSuchTableError

    schema, _, name = table.rpartition(".")
    engine = feed._engine()
    try:
        return list(inspect(engine).get_pk_constraint(name, schema=schema or None)["constrained_columns"])
    except NoSuchTableError:
        return []
    finally:
        engine.dispose()
