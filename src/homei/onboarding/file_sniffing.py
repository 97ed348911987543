"""Guess of a file's format: encoding, delimiter, sheet, line of column names, and end of the rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from homei.ingestion.connectors.files import FORMATS
from homei.ingestion.connectors.text_rows import SourceError
from homei.onboarding.encodings import guess_encoding
from homei.onboarding.header_lines import Rows, find_header
from homei.onboarding.workbooks import LAST_ROWS, SheetRows, common_pattern, read_workbook

DELIMITERS = (",", ";", "\t", "|", "^", "~", ":")
ENCODING_BYTES = 100_000_000  # the first letter beyond ASCII may come late
SAMPLE_BYTES = 4_000_000
SAMPLE_ROWS = 300
FIRST_LINE_BYTES = 65_536
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument"


class FormatGuess(NamedTuple):
    """Keys of a file format that differ from their defaults, the reason of each, and doubts by key."""

    options: dict[str, Any]
    reasons: dict[str, str]
    doubts: dict[str, str]


def guess_format(path: Path, declared: dict[str, Any]) -> FormatGuess:
    """The format of a file; `given` holds the keys that the user has set. Raises SourceError."""
    members = _members(path, declared.get("member", "*")) if path.suffix.lower() == ".zip" else {}
    name, head = _head(path, next(iter(members), None))
    kind = declared.get("format") or _kind(name, head)
    guess = FormatGuess({}, {}, {})
    if kind != _kind_by_name(name):
        guess.options["format"] = kind
        guess.reasons["format"] = "by its content"
    guess.options.update(declared)
    if members and "member" not in declared:
        _guess_members(members, guess)
    if kind == "csv":
        _guess_text(head, guess)
    elif kind == "excel":
        _guess_workbook(path, guess)
    elif kind == "jsonl":
        _guess_records(head, guess)
    return guess


def _members(path: Path, pattern: str) -> dict[str, tuple[int, bytes]]:
    """The size and the first line of each file of rows in a zip, the largest one first."""
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        if not infos:
            raise SourceError(f"{path}: is an empty archive")
        infos = [
            info for info in infos if _kind_by_name(info.filename) and fnmatchcase(info.filename, pattern)
        ] or infos
        members = {}
        for info in sorted(infos, key=lambda info: -info.file_size):
            with archive.open(info) as inner:
                members[info.filename] = (info.file_size, inner.readline(FIRST_LINE_BYTES))
    return members


def _guess_members(members: dict[str, tuple[int, bytes]], guess: FormatGuess) -> None:
    """The pattern of the files that begin as the largest one does, if others lie beside them."""
    first_line = next(iter(members.values()))[1]
    alike = [name for name, (_, line) in members.items() if line == first_line]
    if left := [name for name in members if name not in alike]:
        guess.options["member"] = common_pattern(alike, [*members]) or alike[0]
        guess.reasons["member"] = f"{len(alike)} files that begin alike"
        guess.doubts["member"] = f"not read: {', '.join(left)}"


def _head(path: Path, member: str | None) -> tuple[str, bytes]:
    """The name of a file, or of a file in a zip, and its first bytes, unpacked."""
    if member is not None:
        with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
            return member, _unpacked(inner)
    with path.open("rb") as file:
        return str(path), _unpacked(file)


def _unpacked(file: IO[bytes]) -> bytes:
    start = file.read(2)
    rest = start + file.read(ENCODING_BYTES)
    if start != b"\x1f\x8b":
        return rest
    file.seek(0)
    return gzip.GzipFile(fileobj=file).read(ENCODING_BYTES)


def _kind_by_name(name: str) -> str | None:
    path = PurePosixPath(name.lower())
    return FORMATS.get(PurePosixPath(path.stem).suffix if path.suffix in (".gz", ".zip") else path.suffix)


def _kind(name: str, head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04") and OPEN_DOCUMENT not in head[:200]:
        return "excel"
    if OPEN_DOCUMENT in head[:200]:
        raise SourceError(f"{name}: is an OpenDocument spreadsheet (.ods): save it as .xlsx or .csv")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise SourceError(f"{name}: is a workbook of Excel 97-2003 (.xls): save it as .xlsx or .csv")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and _kind_by_name(name) in (None, "jsonl"):
        return "jsonl"
    if head.lstrip()[:1] == b"<":
        raise SourceError(f"{name}: is a page of HTML or XML, no table: export it as CSV")
    return "csv" if (kind := _kind_by_name(name)) in (None, "excel", "parquet") else kind


def _guess_text(head: bytes, guess: FormatGuess) -> None:
    encoding = guess_encoding(head)
    if "encoding" not in guess.options:
        guess.options.update({"encoding": encoding.declared} if encoding.declared else {})
        guess.doubts.update({"encoding": encoding.doubt} if encoding.doubt else {})
    guess.reasons["encoding"] = encoding.reason
    content = head[:SAMPLE_BYTES].decode(guess.options.get("encoding") or encoding.codec, "replace")
    if len(head) > SAMPLE_BYTES:
        content = content[: content.rindex("\n") + 1] if "\n" in content else content
    if "delimiter" not in guess.options:
        guess.options["delimiter"] = guess_delimiter(content)
        guess.reasons["delimiter"] = "the rows have equally many cells"
    rows = read_rows(content, guess.options["delimiter"])
    is_whole = len(head) <= SAMPLE_BYTES
    last_lines = "\n".join(content.rstrip().splitlines()[-LAST_ROWS:]) if is_whole else ""
    last_rows = [cells for _, cells in read_rows(last_lines, guess.options["delimiter"])]
    _guess_header([(line, cells) for line, cells in rows if any(cells)], last_rows, guess)


def guess_delimiter(content: str) -> str:
    """The character that divides most rows into equally many cells, two or more."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(cells) for _, cells in read_rows(content, delimiter) if any(cells))
        width, rows = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (rows / max(widths.total(), 1) if width > 1 else 0.0), width

    scores = {delimiter: score(delimiter) for delimiter in DELIMITERS}
    consistent = [delimiter for delimiter in DELIMITERS if scores[delimiter][0] > 0.75] or [
        max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    ]
    # A decimal comma or a time's colon divides rows evenly too, but into fewer cells or as long as the true one.
    return max(consistent, key=lambda delimiter: (scores[delimiter][1], -DELIMITERS.index(delimiter)))


def read_rows(content: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The first rows with the line where each begins."""
    limit = csv.field_size_limit(len(content) + 1)
    try:
        reader, rows, begin = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter), [], 1
        for cells in reader:
            rows.append((begin, [cell.strip() for cell in cells]))
            begin = reader.line_num + 1
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        return rows
    finally:
        csv.field_size_limit(limit)
    return rows


def _guess_header(rows: Rows, last_rows: Sequence[Sequence[str]], guess: FormatGuess) -> None:
    if {"header", "names"} & guess.options.keys() or not rows:
        return
    header = find_header(rows, last_rows)
    guess.options.update(header.options)
    guess.reasons.update(dict.fromkeys(header.options, header.reason) | {"footer": "the last line is a total"})
    if header.doubt:
        guess.doubts["names"] = header.doubt


def _guess_workbook(path: Path, guess: FormatGuess) -> None:
    book = read_workbook(path)
    sheets = [each for each in book if fnmatchcase(each.title, guess.options.get("sheet", "*"))] or book
    if {"header", "names"} & guess.options.keys():
        return
    layouts: dict[tuple[str, ...], list[SheetRows]] = {}
    for sheet in sheets:
        layouts.setdefault(sheet.column_names, []).append(sheet)
    chosen = max(layouts.values(), key=lambda alike: sum(sheet.n_rows for sheet in alike))
    titles = [sheet.title for sheet in chosen]
    if "sheet" not in guess.options and titles != [book[0].title]:
        pattern = titles[0] if len(titles) == 1 else common_pattern(titles, [each.title for each in book])
        guess.options["sheet"] = pattern or titles[0]
        guess.reasons["sheet"] = f"{len(titles)} sheets of one layout" if pattern else "it has the most rows"
    left = [each.title for each in book if each.title not in titles]
    if left and "sheet" not in guess.reasons:
        guess.reasons["sheet"] = "the first sheet"
    if left:
        guess.doubts["sheet"] = f"not read: {', '.join(left)}"
    _guess_header(chosen[0].rows, chosen[0].last_rows, guess)


def _guess_records(head: bytes, guess: FormatGuess) -> None:
    """The path of the longest list of objects, if the file is one JSON document."""
    encoding = guess_encoding(head)
    if encoding.declared is not None:
        guess.options.setdefault("encoding", encoding.declared)
    try:
        document = json.loads(head.decode(encoding.codec))
    except ValueError:
        return
    lists = {path: records for path, records in _lists(document, "") if path}
    if lists and "records_at" not in guess.options and isinstance(document, dict):
        guess.options["records_at"] = max(lists, key=lambda path: len(lists[path]))
        guess.reasons["records_at"] = "the longest list of objects"


def _lists(node: Any, path: str) -> list[tuple[str, list[Any]]]:
    if isinstance(node, list):
        return [(path, node)] if node and isinstance(node[0], dict) else []
    if isinstance(node, dict):
        return [
            path_of_list
            for key, value in node.items()
            for path_of_list in _lists(value, f"{path}.{key}" if path else key)
        ]
    return []
