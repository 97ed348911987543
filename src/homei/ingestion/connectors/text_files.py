"""Text in files: its encoding, which byte order marks tell, and the delimiter of its cells."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from typing import IO

from homei.config.file_formats import FileFormat
from homei.ingestion.connectors.text_rows import SourceError

# UTF-32 begins with the mark of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 1 << 16
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n')  # which Excel understands
# Python's replacement for a byte that the encoding can't decode, so that one bad row does not stop the others.
UNDECODABLE = re.compile("[\udc80-\udcff]")
# Cells of any length are allowed: the module's limit of 131,072 characters also holds for columns that nobody maps.
csv.field_size_limit(2**31 - 1)
ESCAPE = "homei_escape"  # as Python's surrogateescape, which refuses the bytes below 128 of a broken UTF-16


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + (byte | 0x80)) for byte in broken), error.end


codecs.register_error(ESCAPE, _escaped)


def open_text(file: IO[bytes], name: str, reading: FileFormat) -> IO[str]:
    """A file of bytes as text from its start, unpacked if it is gzip.

    Raises SourceError if its byte order mark and the declared encoding differ.
    """
    file.seek(0)
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    unpacked = gzip.GzipFile(fileobj=file) if is_gzip else file
    start = unpacked.read(SAMPLE)
    unpacked.seek(0)
    # newline="": the csv module needs line ends as they are.
    return io.TextIOWrapper(unpacked, _encoding(start, name, reading), errors=ESCAPE, newline="")


def undecodable(text: IO[str]) -> str:
    """The fault of a row with bytes that the file's encoding does not have."""
    encoding = text.encoding.removesuffix("-sig")
    if encoding.startswith(("utf-16", "utf-32")):
        return f"row: bytes that are not {encoding}: the file is damaged here"
    return f"row: bytes that are not {encoding}: declare the file's `encoding`, such as {_other(encoding)}"


def delimiter_of(file: IO[bytes], name: str, reading: FileFormat) -> tuple[str, bool]:
    """The delimiter of a CSV file, and whether its first line names it, `sep=;`.

    It is the declared one, or the one that splits the first rows into equally many cells. Raises SourceError where two
    do so, or where the rows have more or fewer cells than `names`.
    """
    text = open_text(file, name, reading)
    sample = text.read(SAMPLE)
    text.detach()
    file.seek(0)
    if len(sample) == SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1]
    named = _SEPARATOR_LINE.match(sample)
    if named:
        sample = sample[named.end() :]
    delimiter = reading.delimiter or (named[1] if named else _fitting_delimiter(sample, name, reading))
    first = next(iter(_rows(sample, delimiter, None)), [])
    if reading.names is not None and first and len(_without_empty_end(first, reading)) != len(reading.names):
        raise SourceError(
            f"{name}: its first line has {len(first)} cells between {delimiter!r}, but `names` has "
            f"{len(reading.names)}: name all columns in their order, and check `delimiter`"
        )
    return delimiter, named is not None


def _fitting_delimiter(sample: str, name: str, reading: FileFormat) -> str:
    if re.search(r"\.(tsv|tab)(\.gz)?$", name, re.IGNORECASE):
        return "\t"
    scores = {}
    for delimiter in DELIMITERS:
        rows = [_without_empty_end(row, reading) for row in _rows(sample, delimiter, reading.header)]
        width = len(reading.names or next(iter(rows), []))
        if width > 1:
            scores[delimiter] = (sum(len(row) == width for row in rows) / len(rows), width)
    best = sorted(scores, key=scores.get, reverse=True)
    if len(best) > 1 and scores[best[0]][0] == scores[best[1]][0] == 1 and sample.count("\n") > 2:
        raise SourceError(f"{name}: cells could end with {best[0]!r} or with {best[1]!r}: declare `delimiter`")
    return best[0] if best else ","


def _rows(sample: str, delimiter: str, header: int | None) -> Iterator[list[str]]:
    """The rows of a sample from its column names on, without the last one, which may be incomplete."""
    lines = io.StringIO(sample, newline="")
    for _ in range((header or 1) - 1):
        lines.readline()
    try:
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:
        return


def _without_empty_end(row: list[str], reading: FileFormat) -> list[str]:
    """Exports often end each row with a delimiter, which is no cell."""
    width = len(row)
    while width > len(reading.names or row) and row[width - 1] == "":
        width -= 1
    return row[:width]


def _encoding(start: bytes, name: str, reading: FileFormat) -> str:
    marked = next((encoding for mark, encoding in MARKS.items() if start.startswith(mark)), None)
    if reading.encoding is None:
        if marked is None and (nulls := start.count(b"\0")) > len(start) // 4:
            order = "le" if start[1::2].count(0) > nulls // 2 else "be"
            raise SourceError(
                f"{name}: seems to be UTF-16 without a byte order mark: declare `encoding: utf-16-{order}`"
            )
        return marked or "utf-8"
    declared = codecs.lookup(reading.encoding).name
    if marked is None or declared.startswith(marked.removesuffix("-sig")):
        return "utf-8-sig" if marked == "utf-8-sig" else reading.encoding
    raise SourceError(
        f"{name}: encoding = {reading.encoding!r}, but the file begins with the byte order mark of "
        f"{marked.removesuffix('-sig')}: leave `encoding` out, or declare that one"
    )


def _other(encoding: str) -> str:
    return "cp1252" if encoding.startswith("utf") else "utf-8"
