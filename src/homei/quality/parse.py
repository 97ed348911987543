"""From text to typed columns: numbers, dates, units and bands as a source declares them, and what can't be read."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.source import TABLES, Column, Feed, Source

DATES = ("sale_date", "listed_on", "closed_on", "registered_on", "happened_on", "month")
NUMBERS = (
    "price", "square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude", "budget",
    "value",
)  # fmt: skip
NULLS = {np.float64: np.nan, "datetime64[s]": np.datetime64("NaT"), object: None}  # by the type of a column's values
SQUARE_METERS_PER_SQUARE_FOOT = 0.09290304
# Day 60 is a 29 February 1900 that never was; from the day after on, days are counted from here.
EXCEL_EPOCH = datetime.date(1899, 12, 30)
_SERIAL = re.compile(r"[0-9]{2,6}(\.[0-9]+)?")  # the decimals are the time of day
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?")
# What stands between thousands where a typographer, or a country's Excel, has set them.
_SPACES = str.maketrans({"\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2019": "'"})


@dataclass(frozen=True)
class Parsed:
    """Typed columns, and for each column a mask of the cells that hold something which can't be read."""

    columns: pd.DataFrame
    unreadable: dict[str, np.ndarray]


def types_of(source: Source, table: str) -> dict[str, Any]:
    """The columns of a table in their order, the source's extras last, each with the type of its values."""
    feeds: list[Feed] = getattr(source, table)
    numeric = dict.fromkeys([*NUMBERS, *(name for feed in feeds for name in feed.numeric)])
    categorical = (name for feed in feeds for name in feed.categorical)
    names = dict.fromkeys([*TABLES[table], *(name for name in numeric if name not in NUMBERS), *categorical])
    return {name: "datetime64[s]" if name in DATES else np.float64 if name in numeric else object for name in names}


def parse(raw: pd.DataFrame, source: Source, table: str = "sales") -> Parsed:
    """The table's columns and the source's extras, typed: f64, text, and dates as datetime64[s].

    What is absent, empty or one of the feed's `missing` becomes NaN, None or NaT, as does what can't be read.
    """
    dtypes = types_of(source, table)
    columns = {name: np.full(len(raw), NULLS[dtype], dtype) for name, dtype in dtypes.items()}
    unreadable = {name: np.zeros(len(raw), dtype=bool) for name in dtypes}
    for feed in getattr(source, table):
        rows = (raw["source_feed"] == feed.name).to_numpy(bool)
        cells = raw if rows.all() else raw[rows]
        # Where a feed has no ids, `ingest` has made some up.
        made_up = {TABLES[table][0]: Column(column="id")}
        for name, column in {**made_up, **feed.declared()}.items():
            plain = dtypes[name] is np.float64 and _is_plain(column)
            read = _reader(dtypes[name], column)
            columns[name][rows], unreadable[name][rows] = read_each(
                cells[name], read, feed.missing, dtypes[name], plain
            )
    return Parsed(pd.DataFrame(columns, index=raw.index), unreadable)


def number(cell: str, column: Column) -> float | None:
    """A cell as a number, a band's middle, in square metres where the unit is feet; None where it is no number."""
    ends = [_decimal(end, column) for end in (cell.split(column.band.strip()) if column.band else [cell])]
    if None in ends or len(ends) > 2 or ends != sorted(ends):
        return None
    middle = sum(ends) / len(ends)
    return round(middle * SQUARE_METERS_PER_SQUARE_FOOT, 6) if column.unit == "square_feet" else middle


def date(cell: str, column: Column) -> datetime.date | None:
    """A cell as a date by the column's format, or by ISO 8601; None where it is no date.

    Typed cells of Excel and Parquet come as ISO dates whatever the format says; what Excel was never told to be a date
    comes as a number of days, which a column may allow.
    """
    if column.serial and _SERIAL.fullmatch(cell):
        return EXCEL_EPOCH + datetime.timedelta(days=int(cell.partition(".")[0]))
    if column.format is not None:
        try:
            return datetime.datetime.strptime(cell, column.format).date()  # noqa: DTZ007
        except ValueError:
            # Here an ISO date might be one whose day and month are swapped.
            if "%Y-%d" in column.format:
                return None
    try:
        return datetime.datetime.fromisoformat(cell).date() if _ISO.fullmatch(cell) else None
    except ValueError:
        return None


def _reader(dtype: Any, column: Column) -> Callable[[str], Any] | None:
    if dtype is object:
        return None
    return (lambda cell: number(cell, column)) if dtype is np.float64 else lambda cell: date(cell, column)


def read_each(
    cells: pd.Series, read: Callable[[str], Any] | None, missing: Sequence[str], dtype: Any, plain: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """What `read` makes of each cell, null where that is nothing, and where it makes nothing of something.

    Texts need no reading, and of `plain` numbers most are read together, which is quicker.
    """
    if not plain:
        return _read_once(cells, read, missing, dtype)
    # What has no gaps comes as Arrow's own memory, which can't be written to.
    values, broken = plain_numbers(cells).copy(), np.zeros(len(cells), dtype=bool)
    left = (np.isnan(values) & cells.notna().to_numpy(bool)) | cells.isin(list(missing)).to_numpy(bool)
    values[left], broken[left] = _read_once(cells[left], read, missing, dtype)
    return values, broken


def _read_once(
    cells: pd.Series, read: Callable[[str], Any] | None, missing: Sequence[str], dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    # Columns repeat their values: each is read once.
    codes, uniques = pd.factorize(cells)
    told = [cell.strip() for cell in np.asarray(uniques, dtype=object)]
    unknown = {"", *(token.casefold() for token in missing)}
    # The code of a null is -1, which takes the entry at the end.
    values, broken = np.full(len(told) + 1, NULLS[dtype], dtype), np.zeros(len(told) + 1, dtype=bool)
    if read is None:
        values[:-1] = [None if cell.casefold() in unknown else cell for cell in told]
        return values[codes], broken[codes]
    for place, cell in enumerate(told):
        if cell.casefold() in unknown:
            continue
        value = read(cell)
        broken[place] = value is None
        values[place] = NULLS[dtype] if value is None else value
    return values[codes], broken[codes]


def plain_numbers(cells: Sequence[str | None]) -> np.ndarray:
    """Each cell that is nothing but digits with at most one point and a minus, as a number; NaN for the others."""
    texts = pa.array(cells, pa.string())
    plain = pc.if_else(pc.match_substring_regex(texts, r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"), texts, None)
    return plain.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _is_plain(column: Column) -> bool:
    return not column.band and column.decimal == "." and not column.thousands and column.unit == "square_meters"


def _decimal(cell: str, column: Column) -> float | None:
    text = cell.translate(_SPACES).strip()
    if column.thousands:
        mark = re.escape(column.thousands)
        # Groups of three, or of two before the last three as in India; anything else is a slip, or another notation.
        if not re.fullmatch(rf"[+-]?([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}})([^0-9{mark}].*)?", text):
            return None
        text = text.replace(column.thousands, "")
    if column.decimal == ",":
        text = text.replace(",", ".") if "." not in text else ""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
