"""What a row is: rows that are no sales, deeds on several rows, ids, unknown values and attributes."""

from registers import sales, write_csv

NAMES = ["id", "sale date", "price", "area m2", "type", "district"]
CELLS = [[row["id"], str(row["date"]), row["price"], row["area"], row["kind"], row["place"]] for row in sales()]


def feed_of(onboard, path, names, cells, **answers):
    return onboard(write_csv(path / "sales.csv", names, cells), **answers).feeds[0]


def test_exchanges_and_outbuildings_are_excluded_with_their_counts(onboard, tmp_path):
    natures = ["Vente"] * 9 + ["Echange"]
    cells = [
        [*row[:4], "Dépendance" if number % 6 == 0 else row[4], row[5], natures[number % 10]]
        for number, row in enumerate(CELLS)
    ]
    guess = feed_of(onboard, tmp_path, [*NAMES, "nature mutation"], cells).settings["exclude"]
    assert guess.value == {"type": ["Dépendance"], "nature mutation": ["Echange"]}
    assert guess.doubt == "Dépendance 20; Echange 12"
    kept = feed_of(onboard, tmp_path, [*NAMES, "nature mutation"], cells, exclude="none")
    assert "exclude" not in kept.settings


def test_rows_that_share_an_id_a_price_and_a_date_are_one_deed(onboard, tmp_path):
    cells = [line for row in CELLS for line in (row, [*row[:3], row[3] + 5, *row[4:]])]
    settings = feed_of(onboard, tmp_path, NAMES, cells).settings
    assert settings["deed"].value == "id"
    assert settings["max_rejected_share"].value == 0.9


def test_an_id_that_repeats_at_other_dates_is_the_property(onboard, tmp_path):
    cells = [*CELLS, *([row[0], "2024-05-06", *row[2:]] for row in CELLS[:2])]
    columns = feed_of(onboard, tmp_path, NAMES, cells).columns
    assert columns["property_id"].value == "id"
    assert "transaction_id" not in columns


def test_ids_that_a_spreadsheet_has_rounded_are_not_mapped(onboard, tmp_path):
    cells = [[f"1.{number % 9}082E+13", *row[1:]] for number, row in enumerate(CELLS)]
    path = write_csv(tmp_path / "sales.csv", ["pin", *NAMES[1:]], cells)
    draft = onboard(path)
    assert {"transaction_id", "property_id", "pin"}.isdisjoint(draft.feeds[0].columns)
    assert any("'pin' is not mapped: a spreadsheet has rounded its ids" in note for note in draft.notes)


def test_codes_of_unknown_values_are_declared_by_column(onboard, tmp_path):
    cells = [[*row, 0 if number % 5 == 0 else 1950 + number % 60] for number, row in enumerate(CELLS)]
    guess = feed_of(onboard, tmp_path, [*NAMES, "year built"], cells).columns["year_built"]
    assert "0" in guess.value["missing"]
    assert guess.doubt == "0 counts as unknown"


def test_attributes_are_other_numbers_and_categories_but_nothing_that_follows_from_the_price(onboard, tmp_path):
    names = [*NAMES, "Lot Area [sq.ft]", "heating", "zone", "price per m2", "stamp", "seller", "remarks"]
    cells = [
        [*row, 3_000 + 7 * (number % 90), ["gas", "oil", "NA"][number % 3], f"0{number % 4}", row[2] / row[3],
         row[2] * 0.03, f"N. N. {number}", f"remark {number}"]
        for number, row in enumerate(CELLS)
    ]  # fmt: skip
    path = write_csv(tmp_path / "sales.csv", names, cells)
    draft = onboard(path)
    assert draft.city["attributes"].value == {"numeric": ["lot_area_sq_ft"], "categorical": ["heating", "zone"]}
    assert draft.feeds[0].columns["heating"].value == {"column": "heating", "missing": []}
    left = {note.split("'")[1]: note for note in draft.notes}
    assert "may follow from the price" in left["price per m2"]
    assert "may follow from the price" in left["stamp"]
    assert "may name persons" in left["seller"]
    assert onboard(path, attributes="none").city["attributes"].value == {"numeric": [], "categorical": []}


def test_year_and_month_make_a_date_and_street_and_number_an_address(read_back, tmp_path):
    names = ["id", "Yr Sold", "Mo Sold", "price", "area m2", "type", "district", "house number", "street"]
    cells = [[row[0], row[1][:4], int(row[1][5:7]), *row[2:], 7, "Mill Lane"] for row in CELLS]
    columns = read_back(write_csv(tmp_path / "sales.csv", names, cells))
    assert columns["sale_date"].dt.strftime("%Y-%m").tolist() == [row[1][:7] for row in CELLS]
    assert set(columns["address"]) == {"7 Mill Lane"}


def test_a_few_dates_long_after_all_others_are_slips_for_the_date_of_valuation(onboard, tmp_path):
    cells = [*CELLS, ["X", "2207-03-01", *CELLS[0][2:]]]
    guess = onboard(write_csv(tmp_path / "sales.csv", NAMES, cells)).city["as_of"]
    assert guess.value.year < 2025
    assert guess.doubt == "1 later dates count as slips"


def test_swapped_coordinates_are_put_right_with_a_doubt(onboard, tmp_path):
    cells = [[*row, 151.2, -33.8] for row in CELLS]
    draft = onboard(write_csv(tmp_path / "sales.csv", [*NAMES, "lat", "lon"], cells))
    assert draft.feeds[0].columns["latitude"].value == "lon"
    assert "other way round" in draft.feeds[0].columns["latitude"].doubt
    assert draft.city["coordinates"].value["origin"] == [-33.8, 151.2]


def test_ranges_lie_well_beyond_the_sales_and_an_area_that_all_have_is_required(onboard, tmp_path):
    cells = [
        *(
            [*row[:2], row[2] * 10 + number % 7, row[3] + number / 1e4, *row[4:]]
            for number, row in enumerate(CELLS * 20)
        )
    ]
    cells = [[f"N{number}", *row[1:]] for number, row in enumerate(cells)]
    contract = onboard(write_csv(tmp_path / "sales.csv", NAMES, cells)).contract
    assert "square_meters" in contract["required"].value
    low, high = contract["ranges"].value["price"]
    assert (low, high) == (50_000, 200_000_000)
    partly = [[*row[:3], row[3] if number % 3 else "", *row[4:]] for number, row in enumerate(cells)]
    contract = onboard(write_csv(tmp_path / "sales.csv", NAMES, partly)).contract
    assert "square_meters" not in contract["required"].value


def test_post_codes_of_five_digits_are_places_and_no_day_numbers(onboard, tmp_path):
    codes = ["33101", "40210", "20095"]
    cells = [[*row[:5], codes[number % 3], 20_000 + number % 50] for number, row in enumerate(CELLS)]
    draft = onboard(write_csv(tmp_path / "sales.csv", [*NAMES[:5], "PLZ", "lot size"], cells))
    assert draft.feeds[0].columns["location"].value == "PLZ"
    assert draft.city["attributes"].value["numeric"] == ["lot_size"]


def test_exports_that_overlap_repeat_ids_and_have_no_deeds(onboard, tmp_path):
    corrected = [[*row[:2], row[2] + 1_000, *row[3:]] if number % 9 == 0 else row for number, row in enumerate(CELLS)]
    paths = [
        write_csv(tmp_path / "deeds-1.csv", NAMES, CELLS[:80]),
        write_csv(tmp_path / "deeds-2.csv", NAMES, corrected[40:]),
    ]
    (feed,) = onboard(*paths).feeds
    assert "deed" not in feed.settings
    assert feed.columns["transaction_id"].value == "id"
