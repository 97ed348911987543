"""Guess of the lines of column names: where they are, or that a file has none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from homei.onboarding.words import NAMES, TOTALS, normalised, phrases

# HM Land Registry publishes its Price Paid Data without a header line, and the names of the columns elsewhere.
PRICE_PAID_DATA = (
    "transaction_id", "price", "date_of_transfer", "postcode", "property_type", "old_new", "duration", "paon", "saon",
    "street", "locality", "town", "district", "county", "ppd_category", "record_status",
)  # fmt: skip
PRICE_PAID_ID = re.compile(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
TITLE_LINES = 25  # at most above the column names
Rows = Sequence[tuple[int, Sequence[str]]]
_NUMBER = re.compile(r"[^A-Za-z]{0,3}[-+(]?\d[\d.,' \u00a0\u202f/:TZ+-]*\W{0,3}")


class HeaderGuess(NamedTuple):
    """The keys header, header_lines, names and footer where they are needed, the reason, and a doubt."""

    options: dict[str, Any]
    reason: str = ""
    doubt: str = ""


def find_header(rows: Rows, last_rows: Sequence[Sequence[str]] = ()) -> HeaderGuess:
    """The guess for a file's first rows that are not blank, each with its line, and its last rows."""
    width = Counter(_width(cells) for _, cells in rows).most_common(1)[0][0]
    full = [
        position
        for position, (_, cells) in enumerate(rows[:TITLE_LINES])
        if _width(cells) >= max(0.6 * width, min(width, 2))
    ]
    first = full[0] if full else 0
    header = next((position for position in full if _is_header(rows, position)), None)
    if header is None:
        return _without_header(rows[first:], width)
    options: dict[str, Any] = {}
    n_lines = _n_header_lines(rows, header)
    if header > 0 or n_lines > 1:
        options["header"] = rows[header][0]
    if n_lines > 1:
        options["header_lines"] = n_lines
    first_cells = (next(filter(None, cells), "") for cells in last_rows)
    if (total := next((cell for cell in first_cells if normalised(cell) in phrases(TOTALS)), None)) is not None:
        options["footer"] = total
    return HeaderGuess(options, f"line {rows[header][0]} has the column names")


def is_value(cell: str) -> bool:
    """Whether a cell is a number, a date or an id, not a name."""
    return bool(_NUMBER.fullmatch(cell)) or bool(PRICE_PAID_ID.fullmatch(cell))


def _width(cells: Sequence[str]) -> int:
    """The number of cells up to the last filled one."""
    return max((position + 1 for position, cell in enumerate(cells) if cell), default=0)


def _is_header(rows: Rows, position: int) -> bool:
    """Whether a row holds texts where the rows below it hold values."""
    cells = rows[position][1]
    filled = [cell for cell in cells if cell]
    n_values = sum(map(is_value, filled))
    if not filled or n_values > 0.2 * len(filled):
        return False
    below = [row for _, row in rows[position + 1 : position + 40]]
    if not below:
        return True
    has_values = [
        sum(column < len(row) and is_value(row[column]) for row in below) > 0.5 * len(below)
        for column in range(len(cells))
    ]
    column_names = {phrase for names in NAMES.values() for phrase in phrases(names)}
    return n_values == 0 and (any(has_values) or sum(normalised(cell) in column_names for cell in filled) >= 2)


def _n_header_lines(rows: Rows, header: int) -> int:
    """Two if the line below is of names too: texts in columns whose cells are values further down."""
    if header + 2 >= len(rows):
        return 1
    second, third = rows[header + 1][1], rows[header + 2][1]
    filled = [cell for cell in second if cell]
    has_texts_only = filled and not any(map(is_value, filled)) and len(set(filled)) == len(filled)
    first_has_gaps = sum(not cell for cell in rows[header][1]) > 0
    return 2 if has_texts_only and first_has_gaps and sum(map(is_value, third)) >= 2 else 1


def _without_header(rows: Rows, width: int) -> HeaderGuess:
    """Names for a file that has none: those of a known publication, or column_1, column_2, …"""
    first = rows[0][1][0] if rows and rows[0][1] else ""
    if width == len(PRICE_PAID_DATA) and PRICE_PAID_ID.fullmatch(first):
        return HeaderGuess({"names": list(PRICE_PAID_DATA)}, "the columns of HM Land Registry's Price Paid Data")
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    names = [f"column_{number}" for number in range(1, width + 1)]
    return HeaderGuess(
        {"names": names}, "the first line is a row", "no line of column names: check what each column is"
    )
