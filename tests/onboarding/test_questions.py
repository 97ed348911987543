"""What the data does not tell is asked, with the option that answers it; nothing is guessed quietly."""

import datetime

import pytest
from registers import sales, write_csv

from homei.onboarding.draft import OnboardingError

NAMES = ["id", "sale date", "price", "area m2", "type", "district"]


def rows(date_format="%Y-%m-%d", price="{}", area="{}", only_days=range(1, 32), **changes):
    cells = []
    for row in sales():
        if row["date"].day in only_days:
            values = {**row, **changes}
            cells.append([
                row["id"], f"{row['date']:{date_format}}", price.format(row["price"]), area.format(values["area"]),
                row["kind"], values["place"],
            ])  # fmt: skip
    return cells


def test_days_up_to_12_could_be_months(onboard, read_back, tmp_path):
    cells = rows("%d/%m/%Y", only_days=range(1, 13))
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set sale_date.format=%d/%m/%Y or --set sale_date.format=%m/%d/%Y"):
        onboard(path)
    month, day, year = map(int, cells[0][1].split("/"))
    assert read_back(path, sale_date__format="%m/%d/%Y")["sale_date"].dt.date[0] == datetime.date(year, month, day)


def test_first_days_of_months_are_days_although_all_are_up_to_12(onboard, tmp_path):
    cells = [[*row[:1], f"01/{number % 12 + 1:02d}/2023", *row[2:]] for number, row in enumerate(rows())]
    draft = onboard(write_csv(tmp_path / "sales.csv", NAMES, cells))
    assert draft.feeds[0].columns["sale_date"].value["format"] == "%d/%m/%Y"


def test_a_median_area_of_300_could_be_in_either_unit(onboard, tmp_path):
    names = [*NAMES[:3], "area", *NAMES[4:]]
    cells = [[*row[:3], 200 + number * 2, *row[4:]] for number, row in enumerate(rows())]
    path = write_csv(tmp_path / "sales.csv", names, cells)
    with pytest.raises(OnboardingError, match=r"--set square_meters.unit=square_feet or"):
        onboard(path)
    draft = onboard(path, square_meters__unit="square_feet")
    assert draft.feeds[0].columns["square_meters"].value == {"column": "area", "unit": "square_feet"}


@pytest.mark.parametrize(("sign", "options"), [("${:,}", "--currency USD or --currency "), ("{}", "--currency …")])
def test_a_currency_that_no_sign_tells_is_asked_for(sign, options, onboard, tmp_path):
    path = write_csv(tmp_path / "sales.csv", NAMES, rows(price=sign))
    with pytest.raises(OnboardingError) as refused:
        onboard(path, currency=None)
    assert options in str(refused.value)


@pytest.mark.parametrize(("sign", "currency"), [("€ {}", "EUR"), ("£{:,}", "GBP"), ("{} zł", "PLN"), ("CHF {}", "CHF")])
def test_a_sign_of_one_currency_tells_it(sign, currency, onboard, tmp_path):
    draft = onboard(write_csv(tmp_path / "sales.csv", NAMES, rows(price=sign)), currency=None)
    assert draft.city["currency"].value == currency


def test_projected_coordinates_are_asked_for_their_system(onboard, tmp_path):
    names = [*NAMES, "easting", "northing"]
    cells = [[*row, 451_000 + 7 * number, 206_000 + 11 * number] for number, row in enumerate(rows())]
    path = write_csv(tmp_path / "sales.csv", names, cells)
    with pytest.raises(OnboardingError, match=r"--set coordinates.system=EPSG:27700"):
        onboard(path)
    coordinates = onboard(path, coordinates__system="EPSG:27700").city["coordinates"].value
    assert coordinates == {"system": "EPSG:27700", "origin": [51.756, -1.257]}


def test_a_location_called_na_is_asked_for(onboard, read_back, tmp_path):
    cells = [[*row[:5], "NA" if row[5] == "North" else row[5]] for row in rows()]
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set location.missing=none or --set location.missing=NA"):
        onboard(path)
    assert "NA" in set(read_back(path, location__missing="none")["location"])


def test_instants_of_another_zone_are_asked_for_their_zone(onboard, tmp_path):
    cells = [[row[0], f"{row[1]}T22:00:00Z", *row[2:]] for row in rows()]
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set sale_date.timezone="):
        onboard(path)
    draft = onboard(path, sale_date__timezone="Europe/Berlin")
    assert draft.feeds[0].columns["sale_date"].value["timezone"] == "Europe/Berlin"


def test_a_terminal_is_asked(onboard, tmp_path):
    path = write_csv(tmp_path / "sales.csv", NAMES, rows())
    asked = []

    def ask(question):
        asked.append(question.key)
        return "NOK"

    assert onboard(path, currency=None, ask=ask).city["currency"].value == "NOK"
    assert asked == ["currency"]


def test_an_answer_that_no_guess_uses_is_refused_with_the_nearest_key(onboard, tmp_path):
    path = write_csv(tmp_path / "sales.csv", NAMES, rows())
    with pytest.raises(OnboardingError, match=r"--set pricee: no guess has this key; did you mean price\?"):
        onboard(path, pricee="price")
    with pytest.raises(OnboardingError, match=r"--set price=cost: no file has this column"):
        onboard(path, price="cost")


def test_files_without_prices_are_refused_with_their_columns(onboard, tmp_path):
    path = write_csv(tmp_path / "people.csv", ["who", "age"], [["A", "3"], ["B", "4"]])
    with pytest.raises(OnboardingError, match=r"--set price=COLUMN --set sale_date=COLUMN(.|\n)*people: 'who', 'age'"):
        onboard(path)


def test_day_numbers_outside_a_workbook_are_asked_for_their_first_year(onboard, tmp_path):
    cells = [[row[0], 44_000 + number * 7, *row[2:]] for number, row in enumerate(rows())]
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set sale_date.serial=1900 or --set sale_date.serial=1904"):
        onboard(path)
    assert onboard(path, sale_date__serial="1904").feeds[0].columns["sale_date"].value["serial"] == 1904


def test_times_without_an_offset_at_22_00_may_be_midnights_of_another_zone(read_back, onboard, tmp_path):
    cells = [[row[0], f"{row[1]} 22:00:00", *row[2:]] for row in rows()]
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set sale_date.timezone="):
        onboard(path)
    first = datetime.date.fromisoformat(cells[0][1][:10])
    assert read_back(path, sale_date__timezone="Europe/Berlin")["sale_date"].dt.date[0] == first + datetime.timedelta(1)
    assert read_back(path, sale_date__timezone="UTC")["sale_date"].dt.date[0] == first


@pytest.mark.parametrize(("name", "factor"), [("price (k€)", 1_000), ("price in lakhs", 100_000), ("price mln", 1e6)])
def test_a_name_says_what_prices_are_multiplied_by(name, factor, onboard, tmp_path):
    cells = [[*row[:2], int(row[2]) / 1_000, *row[3:]] for row in rows()]
    path = write_csv(tmp_path / "sales.csv", [*NAMES[:2], name, *NAMES[3:]], cells)
    assert onboard(path).feeds[0].columns["price"].value["factor"] == factor


def test_small_prices_are_asked_for_their_factor(read_back, onboard, tmp_path):
    cells = [[*row[:2], int(row[2]) / 1_000, *row[3:]] for row in rows()]
    path = write_csv(tmp_path / "sales.csv", NAMES, cells)
    with pytest.raises(OnboardingError, match=r"--set price.factor=1000 or"):
        onboard(path)
    assert read_back(path, price__factor="1000")["price"][0] == int(rows()[0][2])
