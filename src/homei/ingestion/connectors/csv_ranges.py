"""Byte ranges of large CSV files that end at the end of a row, for several reading processes."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from homei.config.file_formats import FileFormat
from homei.ingestion.connectors.csv_reader import batches_by_block, read_csv
from homei.ingestion.connectors.file_readers import Part
from homei.ingestion.connectors.text_files import delimiter_of, open_text, undecodable
from homei.storage.input_files import InputFile

BLOCK_BYTES = 16 << 20
# In these, each byte of a delimiter, a quotation mark or a line end is that character.
SINGLE_BYTES = ("utf-8", "ascii", "iso8859", "cp125", "cp437", "cp85")
LINE_FEED, RETURN, QUOTE = b"\n"[0], b"\r"[0], b'"'[0]


class Range(NamedTuple):
    """The bytes from `start` to `end` of a file, and the number of their first line."""

    start: int
    end: int
    first_line: int


def csv_ranges(path: Path, reading: FileFormat, size: int) -> list[Range] | None:
    """A CSV file in ranges of about `size` bytes; None if it can only be read as a whole.

    That is the case for a packed file, one in an encoding such as UTF-16, one with a `footer`, and one with a quotation
    mark that neither opens nor closes a cell.
    """
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        text = open_text(file, str(path), reading)
        encoding = codecs.lookup(text.encoding).name
        text.detach()
        delimiter, _ = delimiter_of(file, str(path), reading)
    if is_packed or reading.footer is not None or not encoding.startswith(SINGLE_BYTES) or not delimiter.isascii():
        return None
    content = np.memmap(path, np.uint8, "r")
    starts, first_lines, n_quotes, n_lines = [0], [1], 0, 0
    for begin in range(0, len(content), BLOCK_BYTES):
        block = content[begin : begin + BLOCK_BYTES]
        quotes = begin + np.flatnonzero(block == QUOTE)
        if not _are_around_cells(content, quotes, n_quotes, delimiter.encode()[0]):
            return None
        ends = begin + np.flatnonzero(block == LINE_FEED)
        row_ends = np.flatnonzero((n_quotes + np.searchsorted(quotes, ends)) % 2 == 0)
        returns = _lone_returns(content, begin, block)
        while (at := np.searchsorted(ends[row_ends], starts[-1] + size - 1)) < len(row_ends):
            end = ends[row_ends[at]]
            starts.append(int(end) + 1)
            first_lines.append(int(1 + n_lines + row_ends[at] + 1 + np.searchsorted(returns, end)))
        n_quotes, n_lines = n_quotes + len(quotes), n_lines + len(ends) + len(returns)
    ranges = zip(starts, [*starts[1:], len(content)], first_lines, strict=True)
    return [Range(*ends) for ends in ranges if ends[0] < ends[1]]


def read_range(path: Path | InputFile, part: Range, header: list[str] | None, reading: FileFormat) -> Part:
    """The rows of a range; `header` is None for the first one, which has the column names."""
    with path.open("rb") as file:
        delimiter, _ = delimiter_of(file, str(path), reading)
        file.seek(part.start)
        content = io.BytesIO(file.read(part.end - part.start))
    if header is None:
        return Part("", *read_csv(content, str(path), reading.model_copy(update={"delimiter": delimiter})))
    text = open_text(content, str(path), reading)
    rows = batches_by_block(text, part.first_line, header, delimiter, str(path), undecodable(text))
    return Part("", header, rows)


def _are_around_cells(content: np.ndarray, quotes: np.ndarray, n_before: int, delimiter: int) -> bool:
    """Whether each opening mark follows the end of a cell or a mark, and each closing one precedes one.

    Then an even number of marks before a line end means that a row ends there.
    """
    around = [delimiter, LINE_FEED, RETURN, QUOTE]
    is_opening = (n_before + np.arange(len(quotes))) % 2 == 0
    before, after = quotes[is_opening] - 1, quotes[~is_opening] + 1
    before, after = before[before >= 0], after[after < len(content)]
    return bool(np.isin(content[before], around).all() and np.isin(content[after], around).all())


def _lone_returns(content: np.ndarray, begin: int, block: np.ndarray) -> np.ndarray:
    """The positions of carriage returns that end a line without a line feed."""
    returns = begin + np.flatnonzero(block == RETURN)
    following = content[np.minimum(returns + 1, len(content) - 1)]
    return returns[(following != LINE_FEED) | (returns + 1 == len(content))]
