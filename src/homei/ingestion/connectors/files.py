"""Feeds from files: CSV, Excel, JSON lines or Parquet, packed or not, as text with each row's line."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Literal

from pydantic import Field

from homei.config.feeds import Feed
from homei.config.file_formats import FileFormat
from homei.ingestion.connectors.file_readers import READERS, Part
from homei.ingestion.connectors.sheet import Sheet, as_sheet
from homei.ingestion.connectors.text_rows import Batch, SourceError, UnreadableError
from homei.storage.input_files import InputFile

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".geojson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
UNFINISHED_SUFFIXES = {".part", ".tmp", ".crdownload", ".filepart"}
ROWS_A_SHEET = 50_000  # of a file that is read in batches
# zipfile raises RuntimeError for a zip with a password.
READ_ERRORS = (OSError, ValueError, LookupError, EOFError, RuntimeError, csv.Error, zipfile.BadZipFile, zlib.error)


class Files(FileFormat, Feed):
    """A feed that is a set of files in the source's folder, named by patterns."""

    kind: Literal["files"]
    files: Annotated[list[str], Field(min_length=1)]


def read(path: Path, reading: FileFormat) -> Sheet:
    """The rows of a file with one part; raises SourceError if it has more, and otherwise as `sheets` does."""
    parts = sheets(path, reading)
    if len(parts) > 1:
        raise SourceError(f"{path}: has several parts, {', '.join(part.part for part in parts)}: name one of them")
    return parts[0]


def sheets(path: Path, reading: FileFormat) -> list[Sheet]:
    """All parts of a file, without blank rows.

    A row's line is where it begins in a CSV or JSON lines file, its row number in Excel, and its position in Parquet,
    from 2. A row that can't be read (too few or too many cells, undecodable bytes, no JSON object) has a fault.
    Raises UnreadableError if the whole file can't be read.
    """
    with read_errors(path, reading) as kind, path.open("rb") as file:
        return [as_sheet(path, part) for part in _parts(file, path, kind, reading)]


def sheets_in_batches(path: Path | InputFile, reading: FileFormat) -> Iterator[tuple[int, Sheet]]:
    """As `sheets`, at most ROWS_A_SHEET rows at a time, each with the position of its part in the file.

    Text, packed or not, is never in memory as a whole. A packed file is first read to its end, so that
    UnreadableError comes before any rows.
    """
    with read_errors(path, reading) as kind, path.open("rb") as file:
        _check_packed(file, kind)
        for position, part in enumerate(_parts(file, path, kind, reading)):
            for batches in groups(part.rows):
                yield position, as_sheet(path, part._replace(rows=iter(batches)))


def parts(path: Path, reading: FileFormat) -> list[Part]:
    """The parts of a file without their rows."""
    with read_errors(path, reading) as kind, path.open("rb") as file:
        return [part._replace(rows=iter(())) for part in _parts(file, path, kind, reading)]


def kind_of(path: Path | InputFile, reading: FileFormat) -> str:
    """The format of a file, `zip` for one that may hold several."""
    return "zip" if path.suffix.lower() == ".zip" else _format(str(path), reading)


@contextlib.contextmanager
def read_errors(path: Path | InputFile, reading: FileFormat) -> Iterator[str]:
    """Checks how a file is to be read and yields its format.

    Raises UnreadableError for errors in the block.
    """
    try:
        codecs.lookup(reading.encoding or "utf-8")
    except LookupError as error:
        raise SourceError(f"{path}: can't be read ({error})") from error
    kind = kind_of(path, reading)
    if reading.names is not None and kind in ("jsonl", "parquet"):
        raise SourceError(f"{path}: `names` is for CSV and Excel files: {kind} files name their columns themselves")
    try:
        yield kind
    except SourceError:
        raise
    except READ_ERRORS as error:
        raise UnreadableError(f"{path}: can't be read as {kind} ({error})") from error


def _parts(file: IO[bytes], path: Path | InputFile, kind: str, reading: FileFormat) -> Iterable[Part]:
    return _zip_parts(file, path, reading) if kind == "zip" else READERS[kind](file, str(path), reading)


def _check_packed(file: IO[bytes], kind: str) -> None:
    """Reads a packed file to its end, which raises an error if it is incomplete or broken."""
    if kind == "zip":
        with zipfile.ZipFile(file) as archive:
            archive.testzip()
    elif file.read(2) == b"\x1f\x8b":
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as unpacked:
            while unpacked.read(1 << 20):
                pass
    file.seek(0)


def groups(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """The batches in groups of about ROWS_A_SHEET rows, of which the last one may be empty."""
    group, n_rows = [], 0
    for batch in batches:
        group.append(batch)
        n_rows += len(batch.lines)
        if n_rows >= ROWS_A_SHEET:
            yield group
            group, n_rows = [], 0
    yield group


def is_unfinished(path: Path) -> bool:
    """Whether a file is a program's temporary one: hidden, an Excel lock, or an incomplete download."""
    return path.name.startswith((".", "~$")) or path.suffix in UNFINISHED_SUFFIXES


def is_open(path: Path) -> bool:
    """Whether Excel or LibreOffice has the file open: each leaves a lock file beside it."""
    return any((path.parent / lock).exists() for lock in (f"~${path.name}", f".~lock.{path.name}#"))


def _zip_parts(file: IO[bytes], path: Path | InputFile, reading: FileFormat) -> Iterator[Part]:
    """The parts of all files in a zip, sorted by name; macOS metadata and temporary files are skipped."""
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, path, reading)
        for member in members:
            name = f"{path}/{member}"
            with archive.open(member) as inner:
                for part in READERS[_format(name, reading)](inner, name, reading):
                    yield part._replace(name=f"/{member}{part.name}")


def _members(archive: zipfile.ZipFile, path: Path | InputFile, reading: FileFormat) -> list[str]:
    """The names of the files to read in a zip.

    Others, such as a description as PDF, are named in a warning.
    """
    names = sorted(
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not is_unfinished(Path(name))
    )
    if reading.member is not None:
        members = [name for name in names if fnmatchcase(name, reading.member)]
    else:
        members = [name for name in names if reading.format != "auto" or _suffix(name) in FORMATS]
        if others := [name for name in names if name not in members]:
            print(f"homei: {path}: skipping {', '.join(others)}", file=sys.stderr)  # noqa: T201
    if not names:
        raise UnreadableError(f"{path}: is empty; it must hold files of rows")
    if not members:
        wanted = f"no member {reading.member!r}" if reading.member is not None else "no file of a known format"
        raise SourceError(f"{path}: has {wanted}, only {', '.join(names)}")
    return members


def _format(name: str, reading: FileFormat) -> str:
    """The declared format, or the one that the file's name tells."""
    if reading.format != "auto":
        return reading.format
    suffix = _suffix(name)
    if suffix in (".xls", ".xlsb", ".ods"):
        raise SourceError(f"{name}: unknown file format: save it as .xlsx")
    if suffix not in FORMATS:
        raise SourceError(f"{name}: unknown file format: set format to csv, excel, jsonl or parquet")
    return FORMATS[suffix]


def _suffix(name: str) -> str:
    path = PurePosixPath(name)
    return (PurePosixPath(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix).lower()
