"""The first rows of each visible sheet of a workbook."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from homei.ingestion.connectors.text_rows import SourceError, text
from homei.onboarding.header_lines import find_header

SAMPLE_ROWS, LAST_ROWS = 300, 4


class SheetRows(NamedTuple):
    """A sheet's title, its first rows with their lines, its last rows, and the number of all rows."""

    title: str
    rows: list[tuple[int, list[str]]]
    last_rows: list[list[str]]
    n_rows: int

    @property
    def column_names(self) -> tuple[str, ...]:
        """The texts of the line of column names, and where it is; empty for a sheet without rows."""
        if not self.rows:
            return ()
        line = find_header(self.rows, self.last_rows).options.get("header", self.rows[0][0])
        return (str(line), *next(cells for number, cells in self.rows if number >= line))


def read_workbook(path: Path) -> list[SheetRows]:
    """The visible sheets of a workbook that have rows; raises SourceError if none has."""
    import openpyxl

    with path.open("rb") as file:
        packed = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
        try:
            book = openpyxl.load_workbook(io.BytesIO(packed.read()), read_only=True, data_only=True)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise SourceError(f"{path}: can't be read as a workbook ({error}): is it complete?") from error
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    sheets = [sheet for sheet in map(_read_sheet, visible) if sheet.n_rows]
    if not sheets:
        raise SourceError(f"{path}: has no visible sheet with rows")
    return sheets


def common_pattern(titles: Sequence[str], all_titles: Sequence[str]) -> str | None:
    """A pattern that matches these titles and no other one; None without one."""
    start = _common_start(titles)
    pattern = f"{start}*" if start else f"*{_common_start([title[::-1] for title in titles])[::-1]}"
    matched = [title for title in all_titles if fnmatchcase(title, pattern)]
    return pattern if {*matched} == {*titles} else None


def _common_start(titles: Sequence[str]) -> str:
    first, last = min(titles), max(titles)
    length = next((at for at, letter in enumerate(first) if letter != last[at]), len(first))
    return first[:length]


def _read_sheet(sheet: Any) -> SheetRows:
    sheet.reset_dimensions()
    rows: list[tuple[int, list[str]]] = []
    last_rows: list[list[str]] = []
    n_rows = 0
    for line, values in enumerate(sheet.iter_rows(values_only=True), 1):
        if any(value is not None for value in values):
            cells, n_rows = [(text(value) or "").strip() for value in values], n_rows + 1
            last_rows = [*last_rows[1 - LAST_ROWS :], cells]
            rows += [(line, cells)] if len(rows) < SAMPLE_ROWS else []
    return SheetRows(sheet.title, rows, last_rows, n_rows)
