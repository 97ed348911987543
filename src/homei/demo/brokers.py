"""What brokers send: workbooks of sales as people keep them, each with its own titles and notations."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from homei.demo.addresses import others_spelling
from homei.demo.town import DAY, Town

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MONTHS = 15  # how far back they go, so that a workbook has a sheet for each of two years
KNOWN_SHARE, NEW_SHARE = 350 / 30_000, 25 / 30_000  # of the register's sales: those in it, and for these so many others
ROUNDED = 0.3  # of the prices, how many are told in whole thousands where that is within 0.5 %
LATE_DAYS = 10  # between the day that the broker notes and the register's
# Each broker's file, initials and name.
BROKERS = (
    ("brinkmoor", "BR", "Brinkmoor Residential"),
    ("quayside", "QS", "Quayside Homes Partners"),
    ("tallow_finch", "TF", "Tallow & Finch Estate Agents"),
)
# Two lines of names: of groups, merged over their columns, and of columns.
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


def broker_sales(rng: np.random.Generator, town: Town) -> pd.DataFrame:
    """What brokers know of sales, in order of broker and date.

    file (name of the workbook), file_number, home, transaction_id (None where the sale is not in the register yet),
    sold_on, price, and the home's address, location, property_type, square_meters, bedrooms and year_built.
    """
    count = len(town.sales)
    sales = pd.concat(
        [_registered(rng, town, round(KNOWN_SHARE * count)), _unregistered(rng, town, round(NEW_SHARE * count))]
    )
    sales["broker"] = rng.permutation(np.arange(len(sales)) % len(BROKERS))
    sales = sales.sort_values(["broker", "sold_on", "home"], ignore_index=True)
    homes = town.homes.iloc[sales["home"]].reset_index(drop=True)
    year = sales["sold_on"].dt.year
    nth = sales.groupby(["broker", year]).cumcount() + 1
    initials = np.array([initial for _, initial, _ in BROKERS])[sales["broker"]]
    return sales.assign(
        file=np.array([f"{file}.xlsx" for file, _, _ in BROKERS])[sales["broker"]],
        file_number=[f"{one}-{y}-{n:03d}" for one, y, n in zip(initials, year, nth, strict=True)],
        address=others_spelling(rng, homes),
        location=homes["location"],
        property_type=homes["property_type"],
        square_meters=homes["square_meters"],
        bedrooms=homes["bedrooms"],
        year_built=homes["year_built"],
    )


def brokers_truth(town: Town, sales: pd.DataFrame) -> pd.DataFrame:
    """file, file_number, property_id and transaction_id (None where the sale is not in the register)."""
    known = town.homes["property_id"].iloc[sales["home"]].to_numpy()
    return sales.assign(property_id=known)[["file", "file_number", "property_id", "transaction_id"]]


def workbooks(rng: np.random.Generator, sales: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each broker's workbook, the same for the same sales."""
    import openpyxl

    for file, _, name in BROKERS:
        own = sales[sales["file"] == f"{file}.xlsx"]
        book = openpyxl.Workbook()
        book.active.title = "Cover"
        for line in (name, "Sales of our offices, for the valuers' use only", f"{len(own)} sales"):
            book.active.append([line])
        for year, sold in own.groupby(own["sold_on"].dt.year):
            _fill(book.create_sheet(f"Sales {year}"), rng, name, sold)
        yield f"{file}.xlsx", _saved(book)


def _registered(rng: np.random.Generator, town: Town, count: int) -> pd.DataFrame:
    """Sales at market prices that the register has too; the broker noted the agreement, some days before the deed."""
    recent = town.sales["price"].notna() & (town.sales["sold_on"].to_numpy() >= _start(town))
    picked = town.sales.iloc[np.sort(rng.permutation(np.flatnonzero(recent))[:count])]
    price = picked["price"].to_numpy()
    thousands = np.round(price, -3)
    rounded = (rng.random(len(picked)) < ROUNDED) & (np.abs(thousands / price - 1) <= 0.005)
    days = pd.to_timedelta(rng.integers(0, LATE_DAYS + 1, len(picked)), unit="D")
    return picked[["home", "transaction_id"]].assign(
        sold_on=picked["sold_on"] - days, price=np.where(rounded, thousands, price).astype(np.int64)
    )


def _unregistered(rng: np.random.Generator, town: Town, count: int) -> pd.DataFrame:
    """Sales of the register's homes that it doesn't tell yet, all of the last months."""
    last = town.sales.groupby("home")["sold_on"].max()
    idle = last.index[last < town.today - 180 * DAY].to_numpy()
    home = rng.permutation(idle)[:count]
    days = town.today - rng.integers(3, 60, len(home)) * DAY
    price = town.worth(home, days) * np.exp(town.simulate.noise * rng.standard_normal(len(home)))
    return pd.DataFrame(
        {
            "home": home,
            "transaction_id": pd.Series(None, index=range(len(home)), dtype=object),
            "sold_on": days.astype("datetime64[s]"),
            "price": np.round(price, -1).astype(np.int64),
        }
    )


def _start(town: Town) -> np.datetime64:
    return (town.today.astype("datetime64[M]") - (MONTHS - 1)).astype("datetime64[D]")


def _fill(sheet: Worksheet, rng: np.random.Generator, name: str, sold: pd.DataFrame) -> None:
    """Titles, the header of two lines, the sales and their total, as a person would set them."""
    sheet.append([name])
    sheet.append(["Confidential. Areas in m², prices in EUR."])
    sheet.append([])
    groups, names, first = [], [], 1
    for group, columns, _ in HEADER:
        width = len(columns or [group])
        groups += [group] + [None] * (width - 1)
        names += columns or [None]
        below = HEADER_LINE if columns else HEADER_LINE + 1
        sheet.merge_cells(start_row=HEADER_LINE, end_row=below, start_column=first, end_column=first + width - 1)
        first += width
    columns = [column for _, _, own in HEADER for column in own]
    _put(sheet, HEADER_LINE, groups)
    _put(sheet, HEADER_LINE + 1, names)
    hand = rng.random((len(sold), 3))
    for line, (sale, by_hand) in enumerate(zip(sold[columns].to_dict("records"), hand, strict=True), HEADER_LINE + 2):
        _put(sheet, line, list(_noted(sale, by_hand).values()))
    total = HEADER_LINE + 3 + len(sold)
    _put(sheet, total, ["Total", *[None] * (len(columns) - 2), int(sold["price"].sum())])
    _put(sheet, total + 1, [f"{len(sold)} sales; figures without liability"])


def _noted(sale: dict[str, Any], by_hand: np.ndarray) -> dict[str, Any]:
    """A sale as typed in: numbers as numbers or as text in the country's notation, days as serial numbers or text."""
    serial = int((np.datetime64(sale["sold_on"], "D") - EXCEL_EPOCH).astype(np.int64))
    return sale | {
        "bedrooms": None if sale["bedrooms"] != sale["bedrooms"] else int(sale["bedrooms"]),
        "square_meters": f"{sale['square_meters']:.1f}".replace(".", ",")
        if by_hand[0] < 0.6
        else sale["square_meters"],
        "price": f"{sale['price']:,}".replace(",", ".") if by_hand[1] < 0.6 else sale["price"],
        "sold_on": sale["sold_on"].strftime("%d.%m.%Y") if by_hand[2] < 0.5 else serial,
    }


def _put(sheet: Worksheet, line: int, cells: list[Any]) -> None:
    for column, cell in enumerate(cells, 1):
        if cell is not None:
            sheet.cell(line, column, cell)


def _saved(book: Workbook) -> bytes:
    """A workbook's bytes without the times at which it was saved, and not packed: zlibs differ in what they make."""
    book.properties.creator = "Office"
    book.properties.created = STAMP
    saved, stable = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as made, zipfile.ZipFile(stable, "w", zipfile.ZIP_STORED) as kept:
        for name in made.namelist():
            content = made.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2000-01-01T00:00:00Z", content)
            kept.writestr(zipfile.ZipInfo(name, ZIP_STAMP), content)
    return stable.getvalue()
