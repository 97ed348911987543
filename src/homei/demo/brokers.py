"""Brokers' workbooks of sales, written by hand: with titles, merged headers and mixed notations."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from homei.demo.addresses import feed_spellings
from homei.demo.synthetic_register import DAY, SimulatedCity

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MONTHS = 15  # before the last day, so that a workbook has a sheet for each of two years
# Relative to the sales of the register.
REGISTERED_SHARE, UNREGISTERED_SHARE = 350 / 30_000, 25 / 30_000
ROUNDED_SHARE = 0.3  # of the prices: in whole thousands if that changes them by 0.5 % at most
LATEST_DEED = 10  # days from the agreement, which the broker notes, to the deed
# File, initials and name of each broker.
BROKERS = (
    ("brinkmoor", "BR", "Brinkmoor Residential"),
    ("quayside", "QS", "Quayside Homes Partners"),
    ("tallow_finch", "TF", "Tallow & Finch Estate Agents"),
)
# A header of two lines: groups, merged over their columns, and columns.
HEADER = (
    ("File no.", None, ["file_number"]),
    ("Object", ["Address", "District", "Type", "Area m²", "Bedrooms", "Year built"],
     ["address", "location", "property_type", "square_meters", "bedrooms", "year_built"]),
    ("Sale", ["Date", "Price EUR"], ["sold_on", "price"]),
)  # fmt: skip
HEADER_LINE = 4
EXCEL_EPOCH = np.datetime64("1899-12-30", "D")
STAMP = datetime.datetime(2000, 1, 1)  # noqa: DTZ001
ZIP_STAMP = (2000, 1, 1, 0, 0, 0)


def broker_sales(rng: np.random.Generator, city: SimulatedCity) -> pd.DataFrame:
    """The brokers' sales in order of broker and date.

    file (name of the workbook), file_number, property_row, transaction_id (None if the sale is not registered yet),
    sold_on, price, and the property's address, location, property_type, square_meters, bedrooms and year_built.
    """
    count = len(city.sales)
    sales = pd.concat(
        [
            _registered(rng, city, round(REGISTERED_SHARE * count)),
            _unregistered(rng, city, round(UNREGISTERED_SHARE * count)),
        ]
    )
    sales["broker"] = rng.permutation(np.arange(len(sales)) % len(BROKERS))
    sales = sales.sort_values(["broker", "sold_on", "property_row"], ignore_index=True)
    properties = city.properties.iloc[sales["property_row"]].reset_index(drop=True)
    year = sales["sold_on"].dt.year
    nth = sales.groupby(["broker", year]).cumcount() + 1
    initials = np.array([initial for _, initial, _ in BROKERS])[sales["broker"]]
    return sales.assign(
        file=np.array([f"{file}.xlsx" for file, _, _ in BROKERS])[sales["broker"]],
        file_number=[f"{prefix}-{y}-{n:03d}" for prefix, y, n in zip(initials, year, nth, strict=True)],
        address=feed_spellings(rng, properties),
        location=properties["location"],
        property_type=properties["property_type"],
        square_meters=properties["square_meters"],
        bedrooms=properties["bedrooms"],
        year_built=properties["year_built"],
    )


def brokers_truth(city: SimulatedCity, sales: pd.DataFrame) -> pd.DataFrame:
    """file, file_number, property_id and transaction_id (None if the sale is not registered)."""
    property_id = city.properties["property_id"].iloc[sales["property_row"]].to_numpy()
    return sales.assign(property_id=property_id)[["file", "file_number", "property_id", "transaction_id"]]


def workbooks(rng: np.random.Generator, sales: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each broker's workbook: the same bytes for the same sales."""
    import openpyxl

    for file, _, name in BROKERS:
        file_sales = sales[sales["file"] == f"{file}.xlsx"]
        book = openpyxl.Workbook()
        book.active.title = "Cover"
        for line in (name, "Sales of our offices, for the valuers' use only", f"{len(file_sales)} sales"):
            book.active.append([line])
        for year, sold in file_sales.groupby(file_sales["sold_on"].dt.year):
            _fill(book.create_sheet(f"Sales {year}"), rng, name, sold)
        yield f"{file}.xlsx", _to_bytes(book)


def _registered(rng: np.random.Generator, city: SimulatedCity, count: int) -> pd.DataFrame:
    """Market sales of the register; the broker noted the day of the agreement, some days before the deed."""
    recent = city.sales["price"].notna() & (city.sales["sold_on"].to_numpy() >= city.first_day(MONTHS))
    sales = city.sales.iloc[np.sort(rng.permutation(np.flatnonzero(recent))[:count])]
    price = sales["price"].to_numpy()
    thousands = np.round(price, -3)
    rounded = (rng.random(len(sales)) < ROUNDED_SHARE) & (np.abs(thousands / price - 1) <= 0.005)
    days = pd.to_timedelta(rng.integers(0, LATEST_DEED + 1, len(sales)), unit="D")
    return sales[["property_row", "transaction_id"]].assign(
        sold_on=sales["sold_on"] - days, price=np.where(rounded, thousands, price).astype(np.int64)
    )


def _unregistered(rng: np.random.Generator, city: SimulatedCity, count: int) -> pd.DataFrame:
    """Recent sales of properties of the register that it does not contain yet."""
    last = city.sales.groupby("property_row")["sold_on"].max()
    idle = last.index[last < city.last_day - 180 * DAY].to_numpy()
    property_row = rng.permutation(idle)[:count]
    days = city.last_day - rng.integers(3, 60, len(property_row)) * DAY
    price = np.round(city.draw_prices(rng, property_row, days), -1).astype(np.int64)
    sales = {"property_row": property_row, "transaction_id": None, "sold_on": days.astype("datetime64[s]")}
    return pd.DataFrame({**sales, "price": price}).astype({"transaction_id": object})


def _fill(sheet: Worksheet, rng: np.random.Generator, name: str, sold: pd.DataFrame) -> None:
    """Writes titles, the header, the sales and their total into a sheet."""
    columns = [column for _, _, fields in HEADER for column in fields]
    groups = [cell for group, below, _ in HEADER for cell in [group, *[None] * (len(below or [group]) - 1)]]
    names = [name for _, below, _ in HEADER for name in below or [None]]
    draws = rng.random((len(sold), 3))
    rows = [[*handwritten(*row).values()] for row in zip(sold[columns].to_dict("records"), draws, strict=True)]
    total = ["Total", *[None] * (len(columns) - 2), int(sold["price"].sum())]
    titles = [[name], ["Confidential. Areas in m², prices in EUR."], []]
    for row in [*titles, groups, names, *rows, [], total, [f"{len(sold)} sales; figures without liability"]]:
        sheet.append(row)
    first = 1
    for _, below, fields in HEADER:
        last_line = HEADER_LINE if below else HEADER_LINE + 1
        sheet.merge_cells(None, HEADER_LINE, first, last_line, first + len(fields) - 1)
        first += len(fields)


def handwritten(sale: dict[str, Any], draw: np.ndarray) -> dict[str, Any]:
    """A sale as typed in: numbers as numbers or as text in local notation, days as serial numbers or text."""
    serial = int((np.datetime64(sale["sold_on"], "D") - EXCEL_EPOCH).astype(np.int64))
    return sale | {
        "bedrooms": None if sale["bedrooms"] != sale["bedrooms"] else int(sale["bedrooms"]),
        "square_meters": f"{sale['square_meters']:.1f}".replace(".", ",") if draw[0] < 0.6 else sale["square_meters"],
        "price": f"{sale['price']:,}".replace(",", ".") if draw[1] < 0.6 else sale["price"],
        "sold_on": sale["sold_on"].strftime("%d.%m.%Y") if draw[2] < 0.5 else serial,
    }


def _to_bytes(book: Workbook) -> bytes:
    """A workbook's bytes, the same in each run and with each zlib: without time stamps and compression."""
    book.properties.creator = "Office"
    book.properties.created = STAMP
    saved, stable = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(stable, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2000-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, ZIP_STAMP), content)
    return stable.getvalue()
