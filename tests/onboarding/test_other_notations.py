"""`homei init` reads other scripts, units, coordinates and packings, or says what it can't tell."""

import json
import zipfile

import pytest
from registers import sales, write_csv

from homei.ingestion.connectors.text_rows import SourceError
from homei.onboarding.draft import OnboardingError

ROWS = sales()
NAMES = ["id", "sale date", "price", "area m2", "type", "district"]
CELLS = [[row["id"], str(row["date"]), row["price"], row["area"], row["kind"], row["place"]] for row in ROWS]
PRICES = [row["price"] for row in ROWS]


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-8-sig"])
def test_a_japanese_register_in_quarters_tsubo_and_units_of_10000_yen(encoding, read_back, tmp_path):
    names = ["取引時期", "取引価格（万円）", "面積（坪）", "種類", "地区名", "建築年"]
    quarters = [f"{row['date'].year}年第{(row['date'].month + 2) // 3}四半期" for row in ROWS]
    cells = [
        [quarter, row["price"] // 100, f"{row['area'] * 121 / 400:.4f}", {"flat": "住宅"}.get(row["kind"], "戸建"),
         {"North": "北区"}.get(row["place"], "中央区"), f"{row['built']}年"]
        for quarter, row in zip(quarters, ROWS, strict=True)
    ]  # fmt: skip
    sales_read = read_back(write_csv(tmp_path / "s.csv", names, cells, encoding=encoding), currency="JPY")
    assert sales_read["price"].tolist() == [row["price"] // 100 * 10_000 for row in ROWS]
    assert sales_read["square_meters"].round(1).tolist() == [row["area"] for row in ROWS]
    assert set(sales_read["location"]) == {"北区", "中央区"}
    assert sales_read["year_built"].tolist() == [row["built"] for row in ROWS]
    assert {day.month for day in sales_read["sale_date"]} == {1, 4, 7, 10}


def test_czech_dates_with_spaces_and_prices_in_words(read_back, tmp_path):
    names = ["číslo řízení", "datum", "kupní cena", "plocha", "druh", "městská část"]
    dates = [f"{row['date'].day}. {row['date'].month}. {row['date'].year}" for row in ROWS]
    prices = [f"{price / 1e5:.5f} mil. Kč".replace(".", ",", 1) for price in PRICES]
    cells = [[*row[:1], date, price, *row[3:]] for row, date, price in zip(CELLS, dates, prices, strict=True)]
    read = read_back(write_csv(tmp_path / "s.csv", names, cells, ";"), currency=None)
    assert read["price"].round().tolist() == [10 * price for price in PRICES]
    assert read["sale_date"].dt.date.tolist() == [row["date"] for row in ROWS]


@pytest.mark.parametrize(("name", "factor"), [("Pris (tkr)", 1_000), ("Price (£000)", 1_000), ("総額（百万円）", 1e6)])
def test_the_name_of_the_price_says_its_unit_whatever_the_numbers_are(name, factor, onboard, tmp_path):
    cells = [[*row[:2], row[2] / 50, *row[3:]] for row in CELLS]
    path = write_csv(tmp_path / "s.csv", [*NAMES[:2], name, *NAMES[3:]], cells)
    assert onboard(path, price=name).feeds[0].columns["price"].value["factor"] == factor


def test_a_price_per_square_metre_that_no_city_has_is_asked_about(onboard, tmp_path):
    cells = [[*row[:2], row[2] / 100, *row[3:]] for row in CELLS]
    path = write_csv(tmp_path / "s.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"SEK per square metre: what must prices be multiplied by"):
        onboard(path, currency="SEK")
    assert onboard(path, currency="SEK", price__factor="1").questions == []


@pytest.mark.parametrize(("unit", "size"), [("acres", 4046.8564224), ("sq yd", 0.83612736), ("hectares", 10_000)])
def test_areas_in_other_units(unit, size, read_back, tmp_path):
    cells = [[*row[:3], f"{row[3] / size:.8f}", *row[4:]] for row in CELLS]
    path = write_csv(tmp_path / "s.csv", [*NAMES[:3], f"living area ({unit})", *NAMES[4:]], cells)
    assert read_back(path)["square_meters"].round(1).tolist() == [row["area"] for row in ROWS]


def test_degrees_with_minutes_and_seconds(read_back, tmp_path):
    cells = [[*row, "33°26'54.5\"S", f"70°39'{number % 60:02d}\"O"] for number, row in enumerate(CELLS)]
    read = read_back(write_csv(tmp_path / "s.csv", [*NAMES, "latitud", "longitud"], cells))
    assert read["latitude"].round(5).unique().tolist() == [-33.44847]
    assert read["longitude"].between(-70.667, -70.649).all()


def test_british_grid_references_hold_both_coordinates(read_back, tmp_path):
    cells = [[*row, f"SJ 83{number:03d} 98{number:03d}"] for number, row in enumerate(CELLS)]
    path = write_csv(tmp_path / "s.csv", [*NAMES, "grid ref"], cells)
    read = read_back(path, coordinates__system="EPSG:27700")
    assert read["latitude"].between(53.47, 53.49).all()
    assert read["longitude"].between(-2.27, -2.24).all()


def test_of_a_zip_the_files_of_the_largest_layout_are_read(onboard, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("codes.csv", "code;label\n1;flat\n")
        for part in (1, 2):
            path = write_csv(tmp_path / f"sales_{part}.csv", NAMES, CELLS[60 * part - 60 : 60 * part])
            archive.write(path, path.name)
    draft = onboard(tmp_path / "export.zip")
    member = draft.feeds[0].settings["member"]
    assert (member.value, member.doubt, draft.feeds[0].n_rows) == ("sales_*", "not read: codes.csv", 120)


def test_fields_deep_in_json_are_named_by_the_end_of_their_path(onboard, tmp_path):
    deals = [
        {"deal": {"closed": {"at": row[1], "amount": {"value": row[2]}}},
         "home": {"kind": row[4], "size": {"value": row[3]}, "place": {"name": row[5], "point": {"type": "Point"}}}}
        for row in CELLS
    ]  # fmt: skip
    (tmp_path / "deals.json").write_text(json.dumps({"payload": {"deals": deals}}))
    columns = onboard(tmp_path / "deals.json").feeds[0].columns
    roles = {role: columns[role].value for role in ("sale_date", "price", "square_meters", "property_type", "location")}
    assert roles == {
        "sale_date": "deal.closed.at",
        "price": "deal.closed.amount.value",
        "square_meters": "home.size.value",
        "property_type": "home.kind",
        "location": "home.place.name",
    }


def test_of_two_columns_with_one_name_the_first_is_taken_with_a_doubt(onboard, tmp_path):
    path = write_csv(tmp_path / "s.csv", [*NAMES, "price"], [[*row, row[2] // 10] for row in CELLS])
    guess = onboard(path).feeds[0].columns["price"]
    assert (guess.value, guess.doubt) == ("price (1)", "could also be 'price (2)'")


def test_equal_prices_are_doubted(onboard, tmp_path):
    path = write_csv(tmp_path / "s.csv", NAMES, [[*row[:2], 250_000, *row[3:]] for row in CELLS])
    assert "all prices are equal" in onboard(path).feeds[0].columns["price"].doubt


def test_an_open_document_spreadsheet_is_refused_with_what_to_do(onboard, tmp_path):
    with zipfile.ZipFile(tmp_path / "s.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(SourceError, match=r"OpenDocument spreadsheet .*: save it as \.xlsx or \.csv"):
        onboard(tmp_path / "s.ods")
