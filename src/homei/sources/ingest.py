"""Stage `ingest`: a source's records in the lake, as they came but under homei's names, each with its feed and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from homei import lake
from homei.source import ROOMS, TABLES, Column, Feed, LivingFeed, LookupFile, PlacesFile, Source
from homei.sources import files
from homei.sources.files import Files, Sheet
from homei.sources.landing import landed
from homei.sources.mapping import Lookup, lookup_of, mapped
from homei.sources.merging import KEY
from homei.sources.pseudonyms import pseudonymised
from homei.sources.rows import SourceError, UnreadableError

PLACE_COLUMNS = ("kind", "name", "latitude", "longitude")


def run(room: str, source: Source) -> None:
    """Write the raw tables of a room: text columns, then source_feed, source_file, source_line and source_fault.

    source_fault is null, or says why the row could not be read as a row of its file. A record that was landed has the
    feed's name for a file, and its place in the landing for a line.
    Raises SourceError where a file, a landing or a column is not there.
    """
    for table in ROOMS[room]:
        rows = places(source) if table == "places" else records(source, table)
        lake.write(lake.typed(rows.astype({"source_line": np.int64})), lake.RAW[table])


def records(source: Source, table: str) -> pd.DataFrame:
    """All records of a table, feed by feed in the source's order, with all of the table's columns.

    Where a feed maps no id, records get one from their file and line. The ids of all feeds but the first are led by
    the feed's name, so that they stay apart; indicators have none.
    """
    feeds: list[Feed] = getattr(source, table)
    extras = dict.fromkeys(name for feed in feeds for name in (*feed.numeric, *feed.categorical))
    columns = [*TABLES[table], *extras, "source_feed", "source_file", "source_line", "source_fault"]
    tables = []
    for place, feed in enumerate(feeds):
        rows = _one_below_the_other(list(_rows_of(source, table, feed))).assign(source_feed=feed.name)
        if place and table != "indicators":
            rows[columns[0]] = f"{feed.name}:" + rows[columns[0]]
        tables.append(rows.reindex(columns=columns))
    return _one_below_the_other(tables or [pd.DataFrame({name: pd.Series(dtype=object) for name in columns})])


def places(source: Source) -> pd.DataFrame:
    """The points of interest of all kinds, in the order in which the source declares them; empty without any."""
    read = ((declared, _read_or_warn(source, declared)) for declared in source.places)
    tables = [_places(declared, sheet) for declared, sheet in read if sheet is not None]
    columns = (*PLACE_COLUMNS, "source_file", "source_line", "source_fault")
    return pd.concat([pd.DataFrame({name: pd.Series(dtype=object) for name in columns}), *tables], ignore_index=True)


def matching(source: Source, patterns: Sequence[str]) -> list[Path]:
    """A source's files that match any of the patterns, by name; raises SourceError for a pattern without any."""
    folder, found = Path(source.folder), set()
    for pattern in patterns:
        hits = {path for path in folder.glob(pattern) if path.is_file() and not files.is_unfinished(path)}
        if not hits:
            raise SourceError(f"{folder / pattern}: no such file; {_remedy(source)}")
        found |= hits
    return sorted(found)


def _rows_of(source: Source, table: str, feed: Feed) -> Iterator[pd.DataFrame]:
    if isinstance(feed, LivingFeed):
        return _from_landing(source, table, feed)
    assert isinstance(feed, Files)
    return _from_files(source, table, feed)


def _from_landing(source: Source, table: str, feed: LivingFeed) -> Iterator[pd.DataFrame]:
    cells = landed(source, table, feed)
    lines, none = np.arange(1, len(cells) + 1), np.full(len(cells), None, dtype=object)
    rows = _mapped(Sheet(feed.name, "", cells, lines, none), feed, _lookup(source, feed), feed.name)
    yield _with_id(rows, TABLES[table][0], cells[KEY])


def _from_files(source: Source, table: str, feed: Files) -> Iterator[pd.DataFrame]:
    """The records of all files of a feed, in order of the files' names and lines.

    A file that is open in another program or half written is left for the next run: in its place stands one row that
    says so, on line 0. Raises SourceError where nothing else could be read.
    """
    folder = Path(source.folder)
    names = [path.relative_to(folder).as_posix() for path in matching(source, feed.files)]
    lookup, unread = _lookup(source, feed), []
    for name, stem in zip(names, _stems(names), strict=True):
        try:
            sheets = _sheets_unless_open(folder / name, feed)
        except UnreadableError as error:
            unread.append(error)
            yield _row_in_place_of(name, str(error))
            continue
        for sheet in sheets:
            rows = _mapped(sheet, feed, lookup, name + sheet.part)
            yield _with_id(rows, TABLES[table][0], [f"{stem}{sheet.part}:{line}" for line in sheet.lines])
    if len(unread) == len(names):
        raise SourceError("\n".join(map(str, unread)))


def _sheets_unless_open(path: Path, feed: Files) -> list[Sheet]:
    if files.is_open(path):
        raise UnreadableError(f"{path}: is open in another program")
    found = files.sheets(path, feed)
    return [replace(sheet, cells=pseudonymised(sheet.cells, feed)) for sheet in found] if feed.personal else found


def _mapped(sheet: Sheet, feed: Feed, lookup: Lookup | None, file: str) -> pd.DataFrame:
    rows = mapped(sheet, feed.declared(), lookup)
    return rows.assign(source_file=file, source_line=sheet.lines, source_fault=sheet.faults)


def _one_below_the_other(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all tables; of a single one without a copy, as it may be large."""
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def _with_id(rows: pd.DataFrame, name: str, made_up: Sequence[str]) -> pd.DataFrame:
    return rows if name in rows.columns else rows.assign(**{name: made_up})


def _row_in_place_of(name: str, why: str) -> pd.DataFrame:
    """The row that stands for a file which is left for the next run."""
    print(f"homei: {why}; the file is left for the next run", file=sys.stderr)  # noqa: T201
    return pd.DataFrame({"source_file": [name], "source_line": [0], "source_fault": [f"file: {why}"]}, dtype=object)


def _lookup(source: Source, feed: Feed) -> Lookup | None:
    return None if feed.lookup is None else lookup_of(feed.lookup, _read_or_warn(source, feed.lookup))


def _read_or_warn(source: Source, declared: PlacesFile | LookupFile) -> Sheet | None:
    path = Path(source.folder) / declared.file
    if path.is_file():
        return files.read(path, declared)
    if declared.required:
        raise SourceError(f"{path}: no such file; {_remedy(source)}")
    print(f"homei: {path}: no such file, so nothing is known from it", file=sys.stderr)  # noqa: T201
    return None


def _places(declared: PlacesFile, sheet: Sheet) -> pd.DataFrame:
    columns = {
        "kind": Column(constant=declared.kind),
        **{name: Column(column=getattr(declared, name)) for name in ("name", "latitude", "longitude")},
    }
    rows = mapped(sheet, columns)
    return rows.assign(source_file=declared.file, source_line=sheet.lines, source_fault=sheet.faults)


def _stems(names: Sequence[str]) -> list[str]:
    """What files are called in made-up ids: their names without the suffix, unless that repeats."""
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    return [stem if stems.count(stem) == 1 else name for name, stem in zip(names, stems, strict=True)]


def _remedy(source: Source) -> str:
    if source.name in source.simulated:
        return "`homei simulate` makes it"
    if source.fetch:
        return f"`homei fetch {source.name}` brings it"
    return f"put it there, or mend its name or source.folder in params/source/{source.name}.yaml"
