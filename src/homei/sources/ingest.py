"""Stage `ingest`: a source's records in the lake, as they came but under homei's names, each with its feed and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
ORIGIN = ("source_file", "source_line", "source_fault")


def run(room: str, source: Source) -> None:
    """Write the raw tables of a room: text columns, then source_feed, source_file, source_line and source_fault.

    source_fault is null, or says why the row could not be read as a row of its file. A record that was landed has the
    feed's name for a file, and its place in the landing for a line.
    Raises SourceError where a file, a landing or a column is not there.
    """
    for table in ROOMS[room]:
        lake.write(places(source) if table == "places" else records(source, table), lake.RAW[table])


def records(source: Source, table: str) -> pa.Table:
    """All records of a table, feed by feed in the source's order, with all of the table's columns.

    Where a feed maps no id, records get one from their file and line. The ids of all feeds but the first are led by
    the feed's name, so that they stay apart; indicators have none.
    """
    feeds: list[Feed] = getattr(source, table)
    extras = dict.fromkeys(name for feed in feeds for name in (*feed.numeric, *feed.categorical))
    names = [*TABLES[table], *extras, "source_feed", *ORIGIN]
    tables = []
    for place, feed in enumerate(feeds):
        for rows in _rows_of(source, table, feed):
            rows = _with(rows, "source_feed", feed.name)
            if place and table != "indicators" and names[0] in rows.column_names:
                ids = pc.binary_join_element_wise(f"{feed.name}:", rows[names[0]], "")
                rows = rows.set_column(rows.schema.get_field_index(names[0]), names[0], ids)
            tables.append(rows)
    return _one_below_the_other(tables, names)


def places(source: Source) -> pa.Table:
    """The points of interest of all kinds, in the order in which the source declares them; empty without any."""
    read = ((declared, _read_or_warn(source, declared)) for declared in source.places)
    tables = [_places(declared, sheet) for declared, sheet in read if sheet is not None]
    return _one_below_the_other(tables, [*PLACE_COLUMNS, *ORIGIN])


def matching(source: Source, patterns: Sequence[str]) -> list[Path]:
    """A source's files that match any of the patterns, by name; raises SourceError for a pattern without any."""
    folder, found = Path(source.folder), set()
    for pattern in patterns:
        hits = {path for path in folder.glob(pattern) if path.is_file() and not files.is_unfinished(path)}
        if not hits:
            raise SourceError(f"{folder / pattern}: no such file; {_remedy(source)}")
        found |= hits
    return sorted(found)


def _rows_of(source: Source, table: str, feed: Feed) -> Iterator[pa.Table]:
    if isinstance(feed, LivingFeed):
        return _from_landing(source, table, feed)
    assert isinstance(feed, Files)
    return _from_files(source, table, feed)


def _from_landing(source: Source, table: str, feed: LivingFeed) -> Iterator[pa.Table]:
    cells = landed(source, table, feed)
    lines, none = np.arange(1, cells.num_rows + 1), pa.nulls(cells.num_rows, pa.string())
    rows = _mapped(Sheet(feed.name, "", cells, lines, none), feed.declared(), _lookup(source, feed), feed.name)
    yield _with_id(rows, TABLES[table][0], cells[KEY])


def _from_files(source: Source, table: str, feed: Files) -> Iterator[pa.Table]:
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
            rows = _mapped(sheet, feed.declared(), lookup, name + sheet.part)
            lines = pa.array(sheet.lines).cast(pa.string())
            yield _with_id(rows, TABLES[table][0], pc.binary_join_element_wise(f"{stem}{sheet.part}", lines, ":"))
    if len(unread) == len(names):
        raise SourceError("\n".join(map(str, unread)))


def _sheets_unless_open(path: Path, feed: Files) -> list[Sheet]:
    if files.is_open(path):
        raise UnreadableError(f"{path}: is open in another program")
    return [replace(sheet, cells=pseudonymised(sheet.cells, feed)) for sheet in files.sheets(path, feed)]


def _mapped(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None, file: str) -> pa.Table:
    """The declared columns of a sheet, and where each row came from."""
    rows = _with(mapped(sheet, declared, lookup), "source_file", file)
    return rows.append_column("source_line", pa.array(sheet.lines)).append_column("source_fault", sheet.faults)


def _one_below_the_other(tables: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """The rows of all tables with the columns `names`, null where a table hasn't one."""
    nothing = pa.table({name: pa.array([], pa.int64() if name == "source_line" else pa.string()) for name in names})
    return pa.concat_tables([nothing, *tables], promote_options="default").select(names)


def _with(rows: pa.Table, name: str, text: str) -> pa.Table:
    return rows.append_column(name, pa.repeat(pa.scalar(text), rows.num_rows))


def _with_id(rows: pa.Table, name: str, made_up: pa.ChunkedArray) -> pa.Table:
    return rows if name in rows.column_names else rows.append_column(name, made_up)


def _row_in_place_of(name: str, why: str) -> pa.Table:
    """The row that stands for a file which is left for the next run."""
    print(f"homei: {why}; the file is left for the next run", file=sys.stderr)  # noqa: T201
    return pa.table(dict(zip(ORIGIN, ([name], [0], [f"file: {why}"]), strict=True)))


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


def _places(declared: PlacesFile, sheet: Sheet) -> pa.Table:
    columns = {
        "kind": Column(constant=declared.kind),
        **{name: Column(column=getattr(declared, name)) for name in ("name", "latitude", "longitude")},
    }
    return _mapped(sheet, columns, None, declared.file)


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
