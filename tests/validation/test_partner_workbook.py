"""A partner's workbook as it really comes: titles, merged names, several sheets, mixed notations, totals; no code."""

import datetime
from pathlib import Path

import openpyxl
import pytest
import yaml

from homei.config import params
from homei.ingestion import ingest
from homei.storage import lake
from homei.validation import validate

MAPPING = """
city:
  name: partner
  title: A partner's sales
  currency: EUR
  as_of: 2024-12-31
  folder: data/external/partner
  coordinates: {}
feeds:
  sales:
    kind: files
    files: ["*.xlsx"]
    sheet: "Verkäufe 20*"
    header: 4
    header_lines: 2
    footer: Summe
    columns:
      sale_date: {column: Verkauf Datum, format: "%d.%m.%Y", serial: true}
      price: {column: Verkauf Preis, thousands: ".", decimal: ","}
      square_meters: {column: Objekt Fläche, decimal: ","}
      property_type: {constant: Wohnung}
      location: Objekt Ort
contract:
  required: [square_meters]
"""
SHEETS = {
    "Verkäufe 2023": [
        ["Nord", 84.5, datetime.date(2023, 5, 2), 250000],
        ["Süd", "62,25", "17.06.2023", "199.500,50"],
    ],
    "Verkäufe 2024": [
        ["Nord", "84,5 sqft", "03.01.2024", "310.000"],
        ["Süd", 70, 45366, 280000.75],
    ],
}


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data/external/partner").mkdir(parents=True)
    book = openpyxl.Workbook()
    book.active.append(["Contents"])
    for title, rows in SHEETS.items():
        sheet = book.create_sheet(title)
        sheet.append(["Immobilien Muster GmbH"])
        sheet.append([f"{title}, confidential"])
        sheet.append([])
        sheet.append(["Nr.", "Objekt", None, "Verkauf", None])
        sheet.append([None, "Ort", "Fläche", "Datum", "Preis"])
        for merged in ("A4:A5", "B4:C4", "D4:E4"):
            sheet.merge_cells(merged)
        for number, row in enumerate(rows, 1):
            sheet.append([number, *row])
        sheet.append(["Summe", None, None, None, "=SUM(E6:E7)"])
        sheet.append(["Printed by hand; not checked"])
    book.save("data/external/partner/report.xlsx")
    return params.source(yaml.safe_load(MAPPING))


def test_rows_are_read_and_unreadable_numbers_are_quarantined(source):
    ingest.run("sales", source.city, source.feeds)
    raw = lake.read(lake.RAW["sales"])
    assert list(zip(raw["source_file"], raw["source_line"], strict=True)) == [
        ("report.xlsx#Verkäufe 2023", 6),
        ("report.xlsx#Verkäufe 2023", 7),
        ("report.xlsx#Verkäufe 2024", 6),
        ("report.xlsx#Verkäufe 2024", 7),
    ]
    for table in ("listings", "customers", "leads", "indicators", "places"):
        ingest.run(table, source.city, source.feeds)
    validate.run(*source, params.section("validate", {"max_rejected_share": 0.5}))
    valid = lake.read(lake.VALID["sales"]).sort_values("sale_date")
    assert valid["sale_date"].dt.strftime("%Y-%m-%d").tolist() == ["2023-05-02", "2023-06-17", "2024-03-15"]
    assert valid["price"].tolist() == [250000.0, 199500.5, 280000.75]
    assert valid["square_meters"].tolist() == [84.5, 62.25, 70.0]
    (bad,) = lake.read(lake.QUARANTINE).to_dict("records")
    assert bad["source_file"] == "report.xlsx#Verkäufe 2024"
    assert "square_meters: not in square meters" in bad["reasons"]
