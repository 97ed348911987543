"""Files of rows, CSV, Excel, JSON lines or Parquet, packed or not, read as text with the line of each row."""

from __future__ import annotations

import codecs
import csv
import itertools
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from homei.source import Feed, Reading
from homei.sources.readers import READERS, Part
from homei.sources.rows import Batch, SourceError, UnreadableError, numbers, texts

SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# A password that a zip asks for is a RuntimeError.
_FAILURES = (OSError, ValueError, LookupError, EOFError, RuntimeError, csv.Error, zipfile.BadZipFile, zlib.error)
_UNFINISHED = {".part", ".tmp", ".crdownload", ".filepart"}


class Files(Reading, Feed):
    """A feed that comes as files in the source's folder, named by patterns."""

    kind: Literal["files"]
    files: Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True)
class Sheet:
    """The rows of one file, or of one part of it: `cells` as text (null where empty), `lines` from 1.

    `faults` say why a row is no row. `part` is empty for a whole file, "#title" for one of several sheets of a
    workbook and "/name" for a file in a zip; `name` ends with it. `numbers` are masks of the columns some of whose
    cells came as numbers: a declared decimal comma doesn't apply to those.
    """

    name: str
    part: str
    cells: pa.Table
    lines: np.ndarray
    faults: pa.ChunkedArray
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)


def read(path: Path, reading: Reading) -> Sheet:
    """The rows of a file that has one part; raises SourceError where it has more, and as `sheets` does."""
    found = sheets(path, reading)
    if len(found) > 1:
        raise SourceError(f"{path}: has several parts, {', '.join(sheet.part for sheet in found)}: name one of them")
    return found[0]


def sheets(path: Path, reading: Reading) -> list[Sheet]:
    """All parts of a file, blank rows left out.

    A row's line is where it begins in a CSV or JSON lines file, even after blank lines and cells that span lines; in
    Excel its row number, in Parquet its position with the header counted as line 1. A row that can't be read (not as
    many cells as the header, unreadable bytes, no JSON object) stays, with its fault.
    Raises UnreadableError naming the file where nothing of it can be read.
    """
    _check_encoding(path, reading)
    zipped = path.suffix.lower() == ".zip"
    kind = "zip" if zipped else _kind(str(path), reading)
    try:
        with path.open("rb") as file:
            found = _unzipped(file, path, reading) if zipped else READERS[kind](file, str(path), reading)
            return [_as_text(path, part) for part in found]
    except SourceError:
        raise
    except _FAILURES as error:
        raise UnreadableError(f"{path}: can't be read as {kind} ({error})") from error


def is_unfinished(path: Path) -> bool:
    """Whether a program left the file while at work: hidden ones, Excel's locks, unfinished downloads."""
    return path.name.startswith((".", "~$")) or path.suffix in _UNFINISHED


def is_open(path: Path) -> bool:
    """Whether Excel or LibreOffice has the file open, as the lock beside it tells."""
    return any((path.parent / lock).exists() for lock in (f"~${path.name}", f".~lock.{path.name}#"))


def _check_encoding(path: Path, reading: Reading) -> None:
    try:
        codecs.lookup(reading.encoding)
    except LookupError as error:
        raise SourceError(f"{path}: can't be read ({error})") from error


def _unzipped(file: IO[bytes], path: Path, reading: Reading) -> Iterator[Part]:
    """The parts of all files in a zip, by name; what Macs and programs at work leave in it is no data."""
    with zipfile.ZipFile(file) as packed:
        members = sorted(member for member in packed.namelist() if not member.endswith("/"))
        kept = [member for member in members if not member.startswith("__MACOSX/") and not is_unfinished(Path(member))]
        if not kept:
            raise UnreadableError(f"{path}: is empty; it should hold files of rows")
        for member in kept:
            name = f"{path}/{member}"
            with packed.open(member) as inner:
                for part, header, rows in READERS[_kind(name, reading)](inner, name, reading):
                    yield f"/{member}{part}", header, rows


def _as_text(path: Path, part: Part) -> Sheet:
    name, header, batches = part
    nothing = Batch(np.array([], dtype=np.int64), ((),) * len(header))
    parts = [_kept(batch) for batch in itertools.chain([nothing], batches)]
    lines, faults, columns, are_numbers = zip(*parts, strict=True)
    cells = [pa.chunked_array(chunks, pa.string()) for chunks in zip(*columns, strict=True)]
    masks = {name: np.concatenate(masks) for name, *masks in zip(header, *are_numbers, strict=True)}
    return Sheet(
        path.name + name,
        name,
        pa.table(cells, names=header),
        np.concatenate(lines),
        pa.chunked_array(faults, pa.string()),
        {name: mask for name, mask in masks.items() if mask.any()},
    )


def _kept(batch: Batch) -> tuple[np.ndarray, pa.Array, list[pa.Array], list[np.ndarray]]:
    """The lines, faults, columns of text and masks of numbers of a batch, without its blank rows."""
    faults = pa.array(batch.faults or [None] * len(batch.lines), pa.string())
    columns = [texts(column) for column in batch.columns]
    are_numbers = [numbers(column) for column in batch.columns]
    kept = faults.is_valid().to_numpy(zero_copy_only=False)
    for column in columns:
        kept = kept | column.is_valid().to_numpy(zero_copy_only=False)
        if kept.all():
            return batch.lines, faults, columns, are_numbers
    rows = pa.array(kept)
    return (
        batch.lines[kept],
        faults.filter(rows),
        [column.filter(rows) for column in columns],
        [mask[kept] for mask in are_numbers],
    )


def _kind(name: str, reading: Reading) -> str:
    """The format by a file's name, unless the source declares it."""
    if reading.format != "auto":
        return reading.format
    path = PurePosixPath(name)
    suffix = (PurePosixPath(path.stem).suffix if path.suffix == ".gz" else path.suffix).lower()
    if suffix not in SUFFIXES:
        raise SourceError(f"{name}: the name doesn't tell the format: set format to csv, excel, jsonl or parquet")
    return SUFFIXES[suffix]
