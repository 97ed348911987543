"""Stage `ingest`: records as text under canonical column names, with their feed and line."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from homei.config.city import CityConfig
from homei.config.columns import Column
from homei.config.feeds import SMALL_TABLES, TABLES, Feed, FeedsConfig, Source
from homei.config.file_formats import LookupFile, PlacesFile
from homei.ingestion.connectors import files
from homei.ingestion.connectors.files import Files
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.connectors.text_rows import SourceError, UnreadableError
from homei.ingestion.feeds import IncrementalFeed
from homei.ingestion.landing import landed_records
from homei.ingestion.mapping import Lookup, lookup_of, mapped
from homei.ingestion.pseudonyms import pseudonymised
from homei.ingestion.record_ids import content_ids
from homei.ingestion.record_markers import (
    mapped_columns,
    marker_columns,
    reasons_in,
    warn_of_unused_values,
    with_deletions,
    with_markers,
)
from homei.ingestion.record_versions import DELETED, KEY
from homei.spark.config import SparkConfig
from homei.storage import lake
from homei.storage.config import StorageConfig

PLACE_COLUMNS = ("kind", "name", "latitude", "longitude")
ORIGIN = ("source_file", "source_line", "source_fault")


def run(
    table: str,
    city: CityConfig,
    feeds: FeedsConfig,
    storage: StorageConfig | None = None,
    spark: SparkConfig | None = None,
) -> None:
    """Writes the raw table of that name.

    It has text columns, then source_feed, source_file, source_line and source_fault. source_fault says why a row of
    a file can't be read, and is null for all others. A landed record has its feed's name as source_file and its
    position in the landing as source_line. Raises SourceError if a file, a landing or a column is missing.
    """
    source = Source(city, feeds)
    if storage is not None and storage.is_external and table not in SMALL_TABLES:
        from homei.ingestion.ingest_in_spark import run_in_spark

        run_in_spark(source, table, storage, spark)
        return
    lake.write(places(source) if table == "places" else records(source, table), lake.RAW[table])


def records(source: Source, table: str) -> pa.Table:
    """All records of a table with all its columns, feed by feed in the source's order.

    A record without an id gets one from its content. Ids of all feeds but the first have the feed's name as
    prefix, so that they are unique; indicators have no ids.
    """
    id_column = TABLES[table][0]
    parts = []
    for position, feed in enumerate(source.of(table)):
        read = _from_landing if isinstance(feed, IncrementalFeed) else _from_files
        n_earlier_parts = len(parts)
        for rows in read(source, table, feed):
            rows = _with_constant(rows, "source_feed", feed.name)
            if position and table != "indicators":
                ids = pc.binary_join_element_wise(f"{feed.name}:", rows[id_column], "")
                rows = rows.set_column(rows.schema.get_field_index(id_column), id_column, ids)
            parts.append(rows)
        warn_of_unused_values(feed, reasons_in(parts[n_earlier_parts:]))
    present = {name for part in parts for name in part.column_names}
    markers = marker_columns(source.of(table), present)
    return concatenated(parts, [*source.columns(table), "source_feed", *ORIGIN, *markers])


def places(source: Source) -> pa.Table:
    """All points of interest, in the order in which the source declares their kinds."""
    parts = []
    for declared in source.feeds.places:
        if (sheet := _read_or_warn(source, declared)) is not None:
            columns = {"kind": Column(constant=declared.kind)}
            columns |= {name: Column(column=getattr(declared, name)) for name in PLACE_COLUMNS[1:]}
            parts.append(_mapped(sheet, columns, None, declared.file))
    return concatenated(parts, [*PLACE_COLUMNS, *ORIGIN])


def matching_files(source: Source, patterns: Sequence[str]) -> list[Path]:
    """A source's files in the order of the last pattern that each matches, then of names.

    The order counts: a later file corrects earlier ones. Raises SourceError for a pattern without a match.
    """
    folder, positions = Path(source.city.folder), {}
    for position, pattern in enumerate(patterns):
        matches = {path for path in folder.glob(pattern) if path.is_file() and not files.is_unfinished(path)}
        if not matches:
            raise SourceError(_missing_file(source, folder / pattern))
        positions |= dict.fromkeys(matches, position)
    return sorted(positions, key=lambda path: (positions[path], path))


def sheet_records(sheet: Sheet, feed: Feed, lookup: Lookup | None, file: str) -> pa.Table:
    """The mapped columns of a sheet, the origin of each row, and the reasons why rows are no records."""
    return with_markers(_mapped(sheet, mapped_columns(feed), lookup, file), sheet, feed)


def landing_records(
    cells: pa.Table, first_line: int, table: str, feed: IncrementalFeed, lookup: Lookup | None
) -> pa.Table:
    """The records of a landing, or of a part of it, whose first one has the line `first_line`."""
    lines = np.arange(first_line, first_line + cells.num_rows)
    sheet = Sheet(feed.name, "", cells, lines, pa.nulls(cells.num_rows, pa.string()))
    rows = sheet_records(sheet, feed, lookup, feed.name)
    if DELETED in cells.column_names:
        rows = with_deletions(rows, table, cells[DELETED])
    return rows if TABLES[table][0] in feed.columns else _with_ids(rows, table, cells[KEY])


def unreadable_file(name: str, error: UnreadableError) -> pa.Table:
    """The one row of a file that is left for the next run."""
    print(f"homei: {error}; the file is left for the next run", file=sys.stderr)  # noqa: T201
    return pa.table(dict(zip(ORIGIN, ([name], [0], [f"file: {error}"]), strict=True)))


def _from_landing(source: Source, table: str, feed: IncrementalFeed) -> Iterator[pa.Table]:
    yield landing_records(landed_records(source.city, table, feed), 1, table, feed, lookup_rows(source, feed))


def _from_files(source: Source, table: str, feed: Files) -> Iterator[pa.Table]:
    """The records of all files of a feed, in the order of `matching_files` and of their lines.

    A file that is open in another program or incomplete is left for the next run: one row with line 0 says so.
    Raises SourceError if no file can be read.
    """
    folder = Path(source.city.folder)
    names = [path.relative_to(folder).as_posix() for path in matching_files(source, feed.files)]
    lookup, errors, id_counts = lookup_rows(source, feed), [], Counter()
    for name in names:
        try:
            sheets = _sheets(folder / name, feed)
        except UnreadableError as error:
            errors.append(str(error))
            yield unreadable_file(name, error)
            continue
        for sheet in sheets:
            rows = sheet_records(sheet, feed, lookup, name + sheet.part)
            has_ids = TABLES[table][0] in feed.columns
            yield rows if has_ids else _with_ids(rows, table, content_ids(rows, feed.columns, id_counts))
    if len(errors) == len(names):
        raise SourceError("\n".join(errors))


def _sheets(path: Path, feed: Files) -> list[Sheet]:
    if files.is_open(path):
        raise UnreadableError(f"{path}: is open in another program")
    return [replace(sheet, cells=pseudonymised(sheet.cells, feed)) for sheet in files.sheets(path, feed)]


def _mapped(sheet: Sheet, declared: Mapping[str, Column], lookup: Lookup | None, file: str) -> pa.Table:
    """The declared columns of a sheet with the origin of each row."""
    rows = _with_constant(mapped(sheet, declared, lookup), "source_file", file)
    return rows.append_column("source_line", pa.array(sheet.lines)).append_column("source_fault", sheet.faults)


def concatenated(parts: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """The rows of all parts with the columns `names`, null where a part lacks one."""
    empty = pa.table({name: pa.array([], pa.int64() if name == "source_line" else pa.string()) for name in names})
    return pa.concat_tables([empty, *parts], promote_options="default").select(names)


def _with_constant(rows: pa.Table, name: str, value: str) -> pa.Table:
    return rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))


def _with_ids(rows: pa.Table, table: str, ids: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.append_column(TABLES[table][0], ids)


def lookup_rows(source: Source, feed: Feed) -> Lookup | None:
    """The rows of a feed's lookup file, None if it declares none."""
    return None if feed.lookup is None else lookup_of(feed.lookup, _read_or_warn(source, feed.lookup))


def _read_or_warn(source: Source, declared: PlacesFile | LookupFile) -> Sheet | None:
    path = Path(source.city.folder) / declared.file
    if path.is_file():
        return files.read(path, declared)
    if declared.required:
        raise SourceError(_missing_file(source, path))
    print(f"homei: {path}: no such file; continuing without it", file=sys.stderr)  # noqa: T201
    return None


def _missing_file(source: Source, path: Path) -> str:
    name = source.city.name
    remedy = f"run `homei fetch {name}`, or correct its name or city.folder in params/city/{name}.yaml"
    return f"{path}: no such file: {'run `homei simulate`' if source.city.is_simulated else remedy}"
