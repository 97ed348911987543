"""`homei init` finds the rows in files of many kinds."""

import json

import openpyxl
import pandas as pd
import pytest
from registers import sales, write_csv

from homei.onboarding.draft import OnboardingError

NAMES = ["id", "sale date", "price", "area m2", "type", "district"]
ROWS = sales()
CELLS = [[row["id"], str(row["date"]), row["price"], row["area"], row["kind"], row["place"]] for row in ROWS]
PRICES = [row["price"] for row in ROWS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
def test_any_delimiter_is_found(delimiter, read_back, tmp_path):
    assert read_back(write_csv(tmp_path / "sales.txt", NAMES, CELLS, delimiter))["price"].tolist() == PRICES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1250", "cp1251"])
def test_names_of_places_keep_their_letters(encoding, read_back, tmp_path):
    words = {"cp1250": "Łąki Górne", "cp1251": "Северный район"}
    place = words.get(encoding, "Mühlenbrück")
    cells = [[*row[:5], place if row[5] == "North" else row[5]] for row in CELLS]
    assert place in set(read_back(write_csv(tmp_path / "sales.csv", NAMES, cells, ";", encoding))["location"])


def test_a_workbook_with_titles_a_total_and_a_hidden_sheet(read_back, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Register of sales"])
    sheet.append([])
    sheet.append(["Deed", "Sale", None, "Home", None, None])
    sheet.append([None, "Date", "Price", "Area m2", "Type", "District"])
    for row in ROWS:
        sheet.append([row["id"], row["date"], row["price"], row["area"], row["kind"], row["place"]])
    sheet.append(["Total", None, sum(PRICES)])
    book.create_sheet("notes", 0).sheet_state = "hidden"
    book.save(tmp_path / "sales.xlsx")
    assert read_back(tmp_path / "sales.xlsx")["price"].tolist() == PRICES


def test_a_file_without_column_names_is_told_by_its_values_with_a_doubt(onboard, tmp_path):
    draft = onboard(write_csv(tmp_path / "sales.csv", None, CELLS))
    feed = draft.feeds[0]
    assert feed.settings["names"].value == [f"column_{number}" for number in range(1, 7)]
    columns = {name: guess.value for name, guess in feed.columns.items()}
    assert (columns["price"], columns["sale_date"], columns["location"]) == ("column_3", "column_2", "column_6")
    assert all(guess.doubt for guess in feed.columns.values())


def test_price_paid_data_has_the_names_that_its_publisher_gives(onboard, tmp_path):
    cells = [
        [f"{{{number:08X}-0000-0000-0000-{number:012X}}}", row[2], f"{row[1]} 00:00", "AB1 2CD", "DT"[number % 2], "N",
         "F", number, "", "HIGH STREET", "", "TOWN", row[5], "SHIRE", "AB"[number % 20 == 0], "ADC"[number % 3]]
        for number, row in enumerate(CELLS)
    ]  # fmt: skip
    feed = onboard(write_csv(tmp_path / "pp.csv", None, cells)).feeds[0]
    assert feed.columns["location"].value == "district"
    assert feed.settings["exclude"].value == {"ppd_category": ["B"]}
    assert feed.settings["deleted"].value == {"column": "record_status", "values": ["D"]}


@pytest.mark.parametrize("kind", ["array", "lines", "document", "geojson"])
def test_json_of_any_shape(kind, read_back, tmp_path):
    records = [
        {"id": row["id"], "sold": {"date": str(row["date"]), "price": row["price"]}, "home": {"m2": row["area"],
         "type": row["kind"]}, "town": row["place"]}
        for row in ROWS
    ]  # fmt: skip
    points = [{"properties": record, "geometry": {"coordinates": [174.7, -36.8]}} for record in records]
    content = {
        "array": json.dumps(records),
        "lines": "\n".join(map(json.dumps, records)),
        "document": json.dumps({"meta": {}, "data": {"sales": records}}),
        "geojson": json.dumps({"type": "FeatureCollection", "features": points}),
    }
    (tmp_path / "sales.json").write_text(content[kind])
    columns = read_back(tmp_path / "sales.json")
    assert columns["price"].tolist() == PRICES
    if kind == "geojson":
        assert columns["latitude"].tolist() == [-36.8] * len(ROWS)


def test_parquet_with_typed_columns(read_back, tmp_path):
    frame = pd.DataFrame(CELLS, columns=NAMES)
    frame["sale date"] = pd.to_datetime(frame["sale date"])
    frame.to_parquet(tmp_path / "sales.parquet")
    assert read_back(tmp_path / "sales.parquet")["sale_date"].dt.date.tolist() == [row["date"] for row in ROWS]


def test_files_of_one_layout_are_one_feed_and_others_are_named(onboard, tmp_path):
    paths = [write_csv(tmp_path / f"deeds-{year}.csv", NAMES, CELLS) for year in (2021, 2022)]
    paths.append(write_csv(tmp_path / "people.csv", ["name", "age"], [["A", 3], ["B", 4]]))
    draft = onboard(*paths)
    assert [feed.settings["files"].value for feed in draft.feeds] == [["deeds-2021.csv", "deeds-2022.csv"]]
    assert any(note.startswith("people.csv: not used") for note in draft.notes)


def test_a_lookup_file_is_joined_by_a_template_of_columns(read_back, tmp_path):
    streets = ["Mill Lane", "High Street", "Quay Road"]
    names = ["id", "sale date", "price", "block", "street", "unit", "type", "district"]
    cells = [
        [*row[:3], number % 40, streets[number % 3], f"Flat {number % 5}" if number % 2 else "", *row[4:]]
        for number, row in enumerate(CELLS)
    ]
    keys = {" ".join(part for part in (row[4], str(row[3]), row[5]) if part): 50.0 + row[3] for row in cells}
    coordinates = [[key, area, 51.5, -0.1] for key, area in keys.items()]
    sales_path = write_csv(tmp_path / "sales.csv", names, cells)
    lookup_path = write_csv(tmp_path / "homes.csv", ["address", "floor area sqm", "lat", "lon"], coordinates)
    columns = read_back(sales_path, lookup_path)
    assert columns["square_meters"].tolist() == [50.0 + row[3] for row in cells]
    assert columns["latitude"].notna().all()


def test_a_file_of_places_becomes_points_of_interest(onboard, tmp_path):
    cells = [[*row, 51.5, -0.1] for row in CELLS]
    register = write_csv(tmp_path / "sales.csv", [*NAMES, "lat", "lon"], cells)
    places = write_csv(
        tmp_path / "metro_stations.csv", ["name", "lat", "lon"], [["Bank", 51.51, -0.09], ["Oval", 51.48, -0.11]]
    )
    draft = onboard(register, places)
    assert draft.city["place_kinds"].value == ["station"]
    assert draft.places[0].value["name"] == "name"


def test_a_workbook_of_excel_97_says_what_to_do(onboard, tmp_path):
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(ValueError, match=r"Excel 97-2003 \(.xls\): save it as .xlsx or .csv"):
        onboard(tmp_path / "old.xls")


def test_two_files_of_one_name_are_refused(onboard, tmp_path):
    (tmp_path / "a").mkdir()
    paths = [write_csv(folder / "sales.csv", NAMES, CELLS) for folder in (tmp_path, tmp_path / "a")]
    with pytest.raises(OnboardingError, match=r"several files are called sales.csv: rename them"):
        onboard(*paths)


def test_sheets_of_one_layout_are_read_together(read_back, onboard, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["read me first"])
    for year, part in (("2021", CELLS[:60]), ("2022", CELLS[60:])):
        sheet = book.create_sheet(f"Sales {year}")
        for row in (NAMES, *part):
            sheet.append(row)
    book.save(tmp_path / "sales.xlsx")
    settings = onboard(tmp_path / "sales.xlsx").feeds[0].settings
    assert (settings["sheet"].value, settings["sheet"].doubt) == ("Sales 202*", "not read: Sheet")
    assert read_back(tmp_path / "sales.xlsx")["price"].tolist() == PRICES


@pytest.mark.parametrize("point", ["POINT ({lon} {lat})", "({lat}, {lon})", "SRID=4326;POINT({lon} {lat})"])
def test_coordinates_in_one_column_of_points(point, read_back, tmp_path):
    places = [(round(42.3 + number / 1e4, 4), round(-71.06 - number / 1e4, 4)) for number in range(len(CELLS))]
    cells = [[*row, point.format(lat=lat, lon=lon)] for row, (lat, lon) in zip(CELLS, places, strict=True)]
    columns = read_back(write_csv(tmp_path / "sales.csv", [*NAMES, "where"], cells))
    assert list(zip(columns["latitude"], columns["longitude"], strict=True)) == places


def test_repeated_and_empty_column_names_do_not_matter_unless_they_are_needed(read_back, tmp_path):
    cells = [[*row, "Smith", "Jones", ""] for row in CELLS]
    assert (
        read_back(write_csv(tmp_path / "sales.csv", [*NAMES, "Agent", "Agent", ""], cells))["price"].tolist() == PRICES
    )


def test_a_letter_beyond_ascii_that_comes_late_tells_the_encoding(onboard, tmp_path):
    cells = [[*row[:5], "District of the old harbour and the long quay" * 30] for row in CELLS] * 30
    cells.append([*CELLS[0][:5], "Mühlenbrück"])
    path = write_csv(tmp_path / "sales.csv", NAMES, cells, encoding="cp1252")
    assert path.stat().st_size > 4_000_000
    assert onboard(path).feeds[0].settings["encoding"].value == "cp1252"
