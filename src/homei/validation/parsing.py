"""Parsing of text columns into numbers, dates, coordinates and texts as a source declares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.config.columns import Column
from homei.config.feeds import Source
from homei.config.texts import is_rounded, normal_text
from homei.validation.coordinate_texts import coordinate, coordinate_fault
from homei.validation.coordinates import AXES, Located, locate
from homei.validation.dates import date, date_fault
from homei.validation.notations import (
    CELLS_TO_CHECK,
    PLACED,
    check_amounts,
    check_dates,
    check_located,
    coordinates_of,
    count_points,
    has_undeclared_point,
    mapped_columns,
)
from homei.validation.numbers import number, number_fault

DATES = ("sale_date", "listed_on", "closed_on", "registered_on", "happened_on", "month")
NUMBERS = (
    "price", "square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude", "budget",
    "value",
)  # fmt: skip
IDENTIFIERS = ("transaction_id", "property_id", "listing_id", "customer_id", "lead_id")
ROUNDED = "rounded by a spreadsheet"
NULLS = {np.float64: np.nan, "datetime64[s]": np.datetime64("NaT"), object: None}  # by type
Faults = dict[int, str]  # why a cell can't be read, by its row


class Reader(NamedTuple):
    """Converts a cell, to None if it can't be read, and says why it can't."""

    read: Callable[[str], Any]
    fault: Callable[[str], str]


@dataclass(frozen=True)
class Parsed:
    """Typed columns, and for each column the faults of the cells that have a value which can't be read.

    `located` has for each feed the number of rows by the fault of their coordinates, PLACED for those without one.
    """

    columns: pd.DataFrame
    faults: dict[str, Faults]
    located: dict[str, Counter[str]]


def types_of(source: Source, table: str) -> dict[str, Any]:
    """The type of each column of a table: float64, datetime64[s], or object for text."""
    numeric = {*NUMBERS, *source.city.attributes.numeric}
    return {
        name: "datetime64[s]" if name in DATES else np.float64 if name in numeric else object
        for name in source.columns(table)
    }


def parse(raw: pd.DataFrame, source: Source, table: str = "sales") -> Parsed:
    """The table's columns with the types of `types_of`.

    Cells that are empty, unreadable, or one of the declared `missing` values are NaN, None or NaT. Raises
    NotationError for a column whose dates or numbers can be read in two ways.
    """
    for feed in source.of(table):
        is_of_feed = (raw["source_feed"] == feed.name).to_numpy(bool)
        cells = raw if is_of_feed.all() else raw[is_of_feed]
        for name in mapped_columns(feed, table):
            if name in DATES:
                check_dates(cells[name].dropna().unique()[:CELLS_TO_CHECK], name, feed, table)
            if has_undeclared_point(name, feed, table):
                check_amounts(*count_points(pa.array(cells[name], pa.string())), name, feed, table)
    parsed = parse_cells(raw, source, table)
    for feed in source.of(table):
        check_located(parsed.located.get(feed.name, Counter()), feed, source, table)
    return parsed


def parse_cells(raw: pd.DataFrame, source: Source, table: str = "sales") -> Parsed:
    """As `parse`, without judging the feeds' notations, which needs all their rows."""
    dtypes = types_of(source, table)
    columns = {name: np.full(len(raw), NULLS[dtype], dtype) for name, dtype in dtypes.items()}
    faults: dict[str, Faults] = {name: {} for name in dtypes}
    of_feeds: dict[str, Counter[str]] = {}
    for feed in source.of(table):
        rows = np.flatnonzero((raw["source_feed"] == feed.name).to_numpy(bool))
        cells = raw if len(rows) == len(raw) else raw.iloc[rows]
        for name, column in mapped_columns(feed, table).items():
            values, of_cells = read_each(
                cells[name],
                _reader(name, dtypes[name], column, source),
                feed.missing if column.missing is None else column.missing,
                dtypes[name],
                is_plain=dtypes[name] is np.float64 and _is_plain(column),
            )
            columns[name][rows] = values
            faults[name].update(_at(rows, of_cells))
        if columns.keys() >= {*AXES}:
            coordinates = coordinates_of(feed, source)
            located = locate(*(columns[axis][rows] for axis in AXES), coordinates, source.contract.ranges)
            of_feeds[feed.name] = _faults_of_rows(located)
            for axis in AXES:
                columns[axis][rows] = getattr(located, axis)
                faults[axis] |= _at(rows, located.faults[axis])
    return Parsed(pd.DataFrame(columns, index=raw.index), faults, of_feeds)


def read_each(
    cells: pd.Series, reader: Reader | None, missing: Sequence[str], dtype: Any, is_plain: bool = False
) -> tuple[np.ndarray, Faults]:
    """The value of each cell, and why cells can't be read; texts without a `reader` are normalised.

    Arrow converts the cells of a plain column that hold nothing but a number, which makes the stage 3 times as fast
    (300,000 sales in 1.1 s against 3.4 s). `reader` gets all others; a test compares both.
    """
    if not is_plain:
        return _read_unique(cells, reader, missing, dtype)
    # Arrow's memory is read-only.
    values = plain_numbers(cells).copy()
    is_missing = np.isin(values, _numbers(missing)) | cells.isin(["", *missing]).to_numpy(bool)
    others = np.flatnonzero((np.isnan(values) & cells.notna().to_numpy(bool)) | is_missing)
    values[others], faults = _read_unique(cells.iloc[others], reader, missing, dtype)
    return values, _at(others, faults)


def _identifier(cell: str) -> str | None:
    return None if is_rounded(cell) else cell


def _at(rows: np.ndarray, faults: Faults) -> Faults:
    """The faults of a part of a table under the rows of the table."""
    return {int(rows[row]): fault for row, fault in faults.items()}


def plain_numbers(cells: Sequence[str | None]) -> np.ndarray:
    """Cells of digits with at most one point and a minus sign as numbers; NaN for all others."""
    texts = pa.array(cells, pa.string())
    numbers = pc.if_else(pc.match_substring_regex(texts, r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"), texts, None)
    return numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _reader(name: str, dtype: Any, column: Column, source: Source) -> Reader | None:
    if dtype is object:
        return Reader(_identifier, lambda _: ROUNDED) if name in IDENTIFIERS else None
    if dtype is np.float64:
        currency = source.city.currency
        if name in AXES:
            return Reader(lambda cell: coordinate(cell, column, name), lambda cell: coordinate_fault(cell, column))
        return Reader(lambda cell: number(cell, column, currency), lambda cell: number_fault(cell, column, currency))
    return Reader(lambda cell: date(cell, column, source.city.as_of), lambda cell: date_fault(cell, column))


def _read_unique(
    cells: pd.Series, reader: Reader | None, missing: Sequence[str], dtype: Any
) -> tuple[np.ndarray, Faults]:
    """Reads each distinct value of a column once."""
    codes, uniques = pd.factorize(cells)
    texts = [normal_text(cell) for cell in np.asarray(uniques, dtype=object)]
    empty, missing_numbers = {"", *(normal_text(value).casefold() for value in missing)}, {*_numbers(missing)}
    # A null has the code -1, which selects the last entry.
    values, faults = np.full(len(texts) + 1, NULLS[dtype], dtype), np.full(len(texts) + 1, None, object)
    for position, text in enumerate(texts):
        if text.casefold() in empty:
            continue
        value = text if reader is None else reader.read(text)
        if value is None:
            faults[position] = reader.fault(text)
        elif value not in missing_numbers:
            values[position] = value
    of_rows = faults[codes]
    return values[codes], {int(row): of_rows[row] for row in np.flatnonzero(of_rows.astype(bool))}


def _numbers(texts: Sequence[str]) -> list[float]:
    """The texts that are numbers: 9999 as missing value also means 9999.0."""
    numbers = plain_numbers(list(texts))
    return numbers[~np.isnan(numbers)].tolist()


def _is_plain(column: Column) -> bool:
    is_converted = column.unit != "square_meters" or column.factor != 1
    return not column.band and column.decimal == "." and not column.thousands and not is_converted


def _faults_of_rows(located: Located) -> Counter[str]:
    """The numbers of rows by the fault of their coordinates."""
    faults = Counter((located.faults["longitude"] | located.faults["latitude"]).values())
    faults[PLACED] = int((~np.isnan(located.latitude) & ~np.isnan(located.longitude)).sum())
    return faults
