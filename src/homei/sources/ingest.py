"""Stage `ingest`: a source's rows in the lake, as they came but under homei's names, each with its file and line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from homei import lake
from homei.source import Column, LookupFile, PlacesFile, Reading, Source
from homei.sources import files
from homei.sources.files import Sheet
from homei.sources.mapping import Lookup, declared_columns, lookup_of, mapped
from homei.sources.rows import SourceError, UnreadableError

PLACE_COLUMNS = ("kind", "name", "latitude", "longitude")
ORIGIN_COLUMNS = ("source_file", "source_line", "source_fault")


def run(table: str, source: Source) -> None:
    """Write the raw sales or places: text columns, then source_file, source_line and source_fault.

    source_fault is null, or says why the row could not be read as a row of its file.
    Raises SourceError where a file or a column is not there.
    """
    if table == "sales":
        lake.write(KINDS[source.sales.kind](source), lake.RAW_SALES)
    else:
        lake.write(places(source), lake.RAW_PLACES)


def sales_from_files(source: Source) -> pd.DataFrame:
    """The sales of all of a source's files, in order of the files' names and lines.

    A file that is open in another program or half written is left for the next run: in its place stands one row that
    says so, on line 0. Raises SourceError where nothing else could be read.
    """
    folder, declared = Path(source.folder), declared_columns(source.sales)
    names = [path.relative_to(folder).as_posix() for path in matching(source, source.sales.files)]
    lookup = _lookup(source)
    tables, unread = [], []
    for name, stem in zip(names, _stems(names), strict=True):
        try:
            sheets = _sheets_unless_open(folder / name, source.sales)
        except UnreadableError as error:
            unread.append(error)
            tables.append(_row_in_place_of(declared, name, str(error)))
            continue
        for sheet in sheets:
            table = _with_origin(mapped(sheet, declared, lookup), sheet, name + sheet.part)
            if "transaction_id" not in declared:
                table.insert(0, "transaction_id", [f"{stem}{sheet.part}:{line}" for line in sheet.lines])
            tables.append(table)
    if len(unread) == len(names):
        raise SourceError("\n".join(map(str, unread)))
    return pd.concat(tables, ignore_index=True)


# Where sales may come from, by `source.sales.kind`.
KINDS: dict[str, Callable[[Source], pd.DataFrame]] = {"files": sales_from_files}


def places(source: Source) -> pd.DataFrame:
    """The points of interest of all kinds, in the order in which the source declares them; empty without any."""
    read = ((declared, _read_or_warn(source, declared)) for declared in source.places)
    tables = [_places(declared, sheet) for declared, sheet in read if sheet is not None]
    return pd.concat([_no_places(), *tables], ignore_index=True)


def matching(source: Source, patterns: Sequence[str]) -> list[Path]:
    """A source's files that match any of the patterns, by name; raises SourceError for a pattern without any."""
    folder, found = Path(source.folder), set()
    for pattern in patterns:
        hits = {path for path in folder.glob(pattern) if path.is_file() and not files.is_unfinished(path)}
        if not hits:
            raise SourceError(f"{folder / pattern}: no such file; {_remedy(source)}")
        found |= hits
    return sorted(found)


def _sheets_unless_open(path: Path, reading: Reading) -> list[Sheet]:
    if files.is_open(path):
        raise UnreadableError(f"{path}: is open in another program")
    return files.sheets(path, reading)


def _row_in_place_of(declared: Mapping[str, Column], name: str, why: str) -> pd.DataFrame:
    """The row that stands for a file which is left for the next run."""
    print(f"homei: {why}; the file is left for the next run", file=sys.stderr)  # noqa: T201
    columns = [*declared] if "transaction_id" in declared else ["transaction_id", *declared]
    empty = pd.DataFrame([[None] * len(columns)], columns=columns, dtype=object)
    return empty.assign(source_file=name, source_line=0, source_fault=f"file: {why}")


def _lookup(source: Source) -> Lookup | None:
    declared = source.sales.lookup
    return None if declared is None else lookup_of(declared, _read_or_warn(source, declared))


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
    return _with_origin(mapped(sheet, columns), sheet, declared.file)


def _no_places() -> pd.DataFrame:
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in (*PLACE_COLUMNS, *ORIGIN_COLUMNS)})
    return empty.astype({"source_line": np.int64})


def _with_origin(table: pd.DataFrame, sheet: Sheet, file: str) -> pd.DataFrame:
    return table.assign(source_file=file, source_line=sheet.lines, source_fault=sheet.faults)


def _stems(names: Sequence[str]) -> list[str]:
    """What files are called in made-up transaction ids: their names without the suffix, unless that repeats."""
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    return [stem if stems.count(stem) == 1 else name for name, stem in zip(names, stems, strict=True)]


def _remedy(source: Source) -> str:
    if source.name in source.simulated:
        return "`homei simulate` makes it"
    if source.fetch:
        return f"`homei fetch {source.name}` brings it"
    return f"put it there, or mend source.sales.files or source.folder in params/source/{source.name}.yaml"
