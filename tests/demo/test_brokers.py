"""Brokers' workbooks: messy, the same bytes each time, and read by a `files` feed without any code."""

import datetime
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from homei.demo.brokers import broker_sales, workbooks
from homei.ingestion.connectors.files import Files, sheets
from homei.ingestion.mapping import mapped
from homei.storage import lake

FEED = """
name: brokers
kind: files
files: ["world/brokers/*.xlsx"]
sheet: "Sales 20*"
header: 4
header_lines: 2
footer: Total
columns:
  transaction_id: File no.
  sale_date: {column: Sale Date, format: "%d.%m.%Y", serial: true}
  price: {column: Sale Price EUR, thousands: ".", decimal: ","}
  square_meters: {column: Object Area m², decimal: ","}
  property_type: Object Type
  location: Object District
  address: Object Address
  bedrooms: Object Bedrooms
  year_built: Object Year built
"""


@pytest.fixture(scope="module")
def read(world):
    """The rows of all workbooks as the feed maps them, as text, with their file."""
    feed = Files.model_validate(yaml.safe_load(FEED))
    result = [
        mapped(sheet, feed.columns).to_pandas().assign(file=path.name)
        for path in sorted((world / "brokers").glob("*.xlsx"))
        for sheet in sheets(path, feed)
    ]
    return pd.concat(result, ignore_index=True)


@pytest.fixture(scope="module")
def truth(world):
    return lake.read(world / "truth" / "brokers.parquet")


def as_number(cell):
    return float(cell.replace(".", "").replace(",", "."))


def as_day(cell):
    if cell.isdigit():
        return datetime.date(1899, 12, 30) + datetime.timedelta(days=int(cell))
    return datetime.date(int(cell[6:]), int(cell[3:5]), int(cell[:2]))


@pytest.fixture(scope="module")
def known(read, truth, town):
    """The rows whose sale is in the register, typed, beside that sale."""
    sales = town.sales.rename(columns={"price": "paid"})
    typed = read.rename(columns={"transaction_id": "file_number"}).assign(
        price=read["price"].map(as_number), day=pd.to_datetime(read["sale_date"].map(as_day))
    )
    meant = truth.dropna(subset="transaction_id").drop(columns="file")
    return typed.merge(meant, on="file_number", validate="one_to_one").merge(sales, on="transaction_id")


def test_the_feed_reads_each_sale_and_nothing_else(read, truth):
    assert sorted(read["transaction_id"]) == sorted(truth["file_number"])
    assert read["file"].nunique() == 3
    assert read.drop(columns="bedrooms").notna().all(axis=None)


def test_prices_and_days_are_those_of_the_register_or_nearly_so(known):
    assert (known["price"] / known["paid"] - 1).abs().max() <= 0.005
    assert 0.05 < (known["price"] != known["paid"]).mean() < 0.5
    late = (known["sold_on"] - known["day"]).dt.days
    assert late.between(0, 10).all()
    assert late.nunique() == 11


def test_some_sales_are_not_in_the_register_yet_at_prices_of_the_market(read, truth, town):
    new = truth[truth["transaction_id"].isna()]
    assert len(new) == round(len(town.sales) * 25 / 30_000)
    properties = town.properties.reset_index().set_index("property_id").loc[new["property_id"]]
    assert properties["index"].isin(town.sales["property_row"]).all()
    rows = read.set_index("transaction_id").loc[new["file_number"]]
    days = np.array([as_day(cell) for cell in rows["sale_date"]], dtype="datetime64[D]")
    ratio = rows["price"].map(as_number).to_numpy() / town.true_prices(properties["index"].to_numpy(), days)
    assert np.abs(np.log(ratio)).max() < 0.25


def test_cells_mix_numbers_with_texts_and_dates_with_serial_numbers(read):
    assert 0.2 < read["sale_date"].str.isdigit().mean() < 0.8
    assert 0.2 < read["price"].str.contains(".", regex=False).mean() < 0.8
    assert read["square_meters"].str.contains(",", regex=False).any()


def test_a_sheet_has_titles_a_merged_header_and_a_total(world):
    book = openpyxl.load_workbook(world / "brokers" / "tallow_finch.xlsx")
    assert book.sheetnames[0] == "Cover"
    assert set(book.sheetnames[1:]) <= {"Sales 2024", "Sales 2025"}
    sheet = book["Sales 2025"]
    assert sheet["A1"].value == "Tallow & Finch Estate Agents"
    assert {str(merged) for merged in sheet.merged_cells.ranges} == {"A4:A5", "B4:G4", "H4:I4"}
    assert [cell.value for cell in sheet["A"]][-2] == "Total"


def test_a_workbook_has_the_same_bytes_each_time_without_time_stamps_and_compression(town, world):
    sold = broker_sales(np.random.default_rng(1), town)
    first, again = (dict(workbooks(np.random.default_rng(2), sold)) for _ in range(2))
    assert first == again
    for path in (world / "brokers").glob("*.xlsx"):
        with zipfile.ZipFile(path) as book:
            assert {(entry.compress_type, entry.date_time[0]) for entry in book.infolist()} == {(0, 2000)}
            assert str(datetime.date.today().year).encode() not in book.read("docProps/core.xml")  # noqa: DTZ011
