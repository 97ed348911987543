"""What a row is: a sale of a property that was sold before, or one that ended without a sale."""

from registers import sales, write_csv

NAMES = ["id", "sale date", "price", "area m2", "type", "district", "method"]


def rows():
    return [
        [row["id"], f"{row['date']:%Y-%m-%d}", str(row["price"]), str(row["area"]), row["kind"], row["place"], "sold"]
        for row in sales()
    ]


def test_ids_that_repeat_on_other_days_are_those_of_properties(onboard, tmp_path):
    cells = rows()
    cells[7][0] = cells[3][0]
    feed = onboard(write_csv(tmp_path / "sales.csv", NAMES, cells)).feeds[0]
    assert feed.columns["property_id"].value == "id"
    assert "transaction_id" not in feed.columns


def test_ids_that_repeat_on_one_day_stay_those_of_sales(onboard, tmp_path):
    cells = rows()
    feed = onboard(write_csv(tmp_path / "sales.csv", NAMES, [*cells, cells[3]])).feeds[0]
    assert feed.columns["transaction_id"].value == "id"


def test_values_whose_rows_lack_a_price_are_proposed_for_exclusion(onboard, tmp_path):
    cells = rows()
    for row in cells[::4]:
        row[2], row[6] = "", "passed in"
    exclude = onboard(write_csv(tmp_path / "sales.csv", NAMES, cells)).feeds[0].settings["exclude"]
    assert exclude.value == {"method": ["passed in"]}
    assert exclude.doubt == "passed in 30 without a price"


def test_prices_that_are_missing_for_no_value_alone_exclude_nothing(onboard, tmp_path):
    cells = rows()
    for number in range(0, len(cells), 4):
        cells[number][2] = ""
        cells[number][6] = "sold" if number % 8 else "passed in"
    assert "exclude" not in onboard(write_csv(tmp_path / "sales.csv", NAMES, cells)).feeds[0].settings
