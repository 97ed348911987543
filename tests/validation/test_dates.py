"""Dates are read in the declared notation; none moves silently by a day, a month or a century."""

import datetime

import pytest

from homei.config.columns import Column
from homei.validation.dates import date, date_fault, suspect_midnights

AS_OF = datetime.date(2025, 6, 30)


def column(**options):
    return Column(column="x", **options)


def day(text):
    return text and datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("cell", "format", "expected"),
    [
        ("2024-05-17", None, datetime.date(2024, 5, 17)),
        ("2024-05-17T10:30:00", None, datetime.date(2024, 5, 17)),
        ("2024-05", "%Y-%m", datetime.date(2024, 5, 1)),
        ("17/05/2024", "%d/%m/%Y", datetime.date(2024, 5, 17)),
        ("2024-05-17", "%d/%m/%Y", datetime.date(2024, 5, 17)),
        ("2024-05-17", "%Y-%d-%m", None),
        ("2024-02-30", None, None),
        ("0000-00-00", None, None),
        ("2024-W20", None, None),
        ("20240517", None, None),
        ("unknown", "%Y-%m", None),
        ("5/17/2024 0:00", "%m/%d/%Y", datetime.date(2024, 5, 17)),
        ("17.05.2024T23:59:59.999", "%d.%m.%Y", datetime.date(2024, 5, 17)),
        ("17-May-2024 11:30 PM", "%d-%b-%Y", datetime.date(2024, 5, 17)),
        ("17-May-2024 soon", "%d-%b-%Y", None),
    ],
)
def test_a_date_is_read_in_its_format_or_iso_8601(cell, format, expected):
    assert date(cell, column(format=format)) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("45366", datetime.date(2024, 3, 15)),
        ("45366.75", datetime.date(2024, 3, 15)),
        ("45366,75", datetime.date(2024, 3, 15)),
        ("61", None),
        ("15.03.2024", datetime.date(2024, 3, 15)),
        ("2024-03-15", datetime.date(2024, 3, 15)),
        ("-1", None),
        ("45366 ", None),
    ],
)
def test_a_serial_date_is_a_number_of_days(cell, expected):
    assert date(cell, column(format="%d.%m.%Y", serial=True)) == expected


def test_a_number_is_not_a_date_unless_the_column_is_serial():
    assert date("45366", column(format="%d.%m.%Y")) is None


def test_a_serial_number_counts_from_1904_where_declared():
    assert date("43294", column(serial=1904)) == datetime.date(2022, 7, 14)
    assert date("43294", column(serial=True)) == datetime.date(2018, 7, 13)


def test_a_serial_number_just_before_midnight_is_the_next_day():
    assert date("45365.999999", column(serial=True)) == date("45366", column(serial=True))


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        ("1656655200000", {"format": "epoch_milliseconds"}, "2022-07-01"),
        ("1656626400000", {"format": "epoch_milliseconds"}, "2022-06-30"),
        ("1656626400000", {"format": "epoch_milliseconds", "timezone": "Europe/Berlin"}, "2022-07-01"),
        ("-86400000000", {"format": "epoch_milliseconds"}, "1967-04-07"),
        ("1656655200", {"format": "epoch_seconds"}, "2022-07-01"),
        ("1656655200", {"format": "epoch_milliseconds"}, None),
        ("0", {"format": "epoch_milliseconds"}, None),
        ("1656655200000000", {"format": "epoch_seconds"}, None),
        ("2022-06-30T22:00:00+00:00", {"timezone": "Europe/Berlin"}, "2022-07-01"),
        ("2022-06-30T22:00:00Z", {}, "2022-06-30"),
        ("2022-06-30 22:00:00 UTC", {"timezone": "Europe/Berlin"}, "2022-07-01"),
        ("2022-06-30 22:00:00+00", {"timezone": "Europe/Berlin"}, "2022-07-01"),
        ("2022-07-01T00:00:00+02:00", {}, "2022-07-01"),
        ("2022-07-01T00:00:00.000000025+02:00", {}, "2022-07-01"),
        ("2022-07-01T00:00:00+00:00", {"timezone": "America/Denver"}, "2022-06-30"),
        ("2022-07-01", {"timezone": "America/Denver"}, "2022-07-01"),
        ("2022-06-30 22:00:00", {"timezone": "Europe/Berlin"}, "2022-06-30"),
        ("2022-06-30 22:00:00", {"timezone": "Europe/Berlin", "utc": True}, "2022-07-01"),
        ("30.06.2022 22:00", {"format": "%d.%m.%Y", "timezone": "Europe/Berlin", "utc": True}, "2022-07-01"),
        ("2022-07-01", {"timezone": "America/Denver", "utc": True}, "2022-07-01"),
        ("1656655200000000000", {"format": "epoch_nanoseconds"}, "2022-07-01"),
        ("1656655200000000", {"format": "epoch_nanoseconds"}, None),
        ("01.07.2022 00:30 +0200", {"format": "%d.%m.%Y %H:%M %z", "timezone": "UTC"}, "2022-06-30"),
    ],
)
def test_an_instant_is_a_day_in_the_declared_time_zone(cell, options, expected):
    assert date(cell, column(**options)) == day(expected)


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        ("3/12/16", {"format": "%d/%m/%y"}, "2016-12-03"),
        ("1/7/25", {"format": "%d/%m/%y"}, "2025-07-01"),
        ("1/7/68", {"format": "%d/%m/%y"}, "1968-07-01"),
        ("1/7/16", {"format": "%d/%m/%y", "pivot": 1900}, "1916-07-01"),
        ("29/2/23", {"format": "%d/%m/%y"}, None),
        ("29/2/24", {"format": "%d/%m/%y"}, "2024-02-29"),
        ("29/2/00", {"format": "%d/%m/%y", "pivot": 1890}, None),
    ],
)
def test_a_two_digit_year_is_not_far_in_the_future(cell, options, expected):
    assert date(cell, column(**options), AS_OF) == day(expected)


@pytest.mark.parametrize(
    "cell", ["2024年第3四半期", "2024Q3", "2024-Q3", "Q3 2024", "3Q2024", "Q3/2024", "3. Quartal 2024", "T3 2024"]
)
def test_a_quarter_is_its_first_day(cell):
    assert date(cell, column(format="quarter")) == datetime.date(2024, 7, 1)
    assert date(cell.replace("3", "5"), column(format="quarter")) is None


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("1656655200000", "not a date (format: epoch_milliseconds?)"),
        ("1656655200", "not a date (format: epoch_seconds?)"),
        ("45366", "not a date (serial: true?)"),
        ("Q3 2024", "not a date (format: quarter?)"),
        ("20240517", 'not a date (format: "%Y%m%d"?)'),
        ("2024-5", 'not a date (format: "%Y-%m"?)'),
        ("2024/5/17", 'not a date (format: "%Y/%m/%d"?)'),
        ("17.05.2024", 'not a date (format: "%d.%m.%Y"?)'),
        ("17/05/2024", 'not a date (format: "%d/%m/%Y" or "%m/%d/%Y"?)'),
        ("2024-02-31", "not a date"),
        ("31.02.2024", "not a date"),
        ("soon", "not a date"),
    ],
)
def test_a_cell_in_another_notation_names_the_declaration(cell, fault):
    assert date_fault(cell, column()) == fault


def test_a_cell_in_the_declared_format_that_is_no_day_has_no_hint():
    assert date_fault("31.02.2024", column(format="%d.%m.%Y")) == "not a date"


SUMMER, WINTER = "2022-06-30T22:00:00+00:00", "2022-12-31T23:00:00Z"


@pytest.mark.parametrize(
    ("cells", "is_suspect"),
    [
        ([SUMMER, WINTER], True),
        ([SUMMER] * 9 + ["2022-06-30T10:11:12Z"], True),
        ([WINTER, "2022-06-30T00:00:00+00:00", "2022-06-29"], True),
        (["2022-06-30T18:30:00Z"], True),
        (["2022-06-30T06:00:00Z", "2022-12-31T07:00:00Z"], False),
        (["2022-06-30T10:11:12Z", "2022-06-29T14:00:00Z", "2022-06-28T22:17:00Z"], False),
        (["2022-07-01T00:00:00+02:00"], False),
        (["2022-06-30", "2022-06-30 22:00:00", "x"], False),
        ([f"2022-06-0{day} 22:00:00" for day in range(1, 6)], True),
        ([f"2022-06-0{day} 12:00:00" for day in range(1, 6)], False),
    ],
)
def test_midnights_of_another_time_zone_are_noticed(cells, is_suspect):
    assert bool(suspect_midnights(cells, column())) == is_suspect
    assert suspect_midnights(cells, column(timezone="UTC")) is None


def test_numbers_since_1970_are_noticed_too():
    assert suspect_midnights(["1656626400000"], column(format="epoch_milliseconds")) == (
        "1 of 1 different times are at 22:00 UTC"
    )


@pytest.mark.parametrize(
    ("cell", "format", "month"),
    [
        ("15. März 2024", "%d. %B %Y", 3),
        ("15 janv. 2024", "%d %b %Y", 1),
        ("15-août-2024", "%d-%b-%Y", 8),
        ("15 de dezembro de 2024", "%d de %B de %Y", 12),
        ("15 października 2024", "%d %B %Y", 10),
        ("15 juil. 2024 14:30", "%d %b. %Y", 7),
        ("Monday, 15 May 2024", "%A, %d %B %Y", 5),
        ("15 SEPT 2024", "%d %b %Y", 9),
        ("15 undecember 2024", "%d %B %Y", None),
    ],
)
def test_names_of_months_are_understood_in_several_languages(cell, format, month):
    assert date(cell, column(format=format)) == (month and datetime.date(2024, month, 15))


@pytest.mark.parametrize(
    ("cell", "month"),
    [("3 června 2021", 6), ("3 července 2021", 7), ("3 января 2021", 1), ("3 Ağustos 2021", 8),
     ("3 marraskuuta 2021", 11), ("3 maaliskuuta 2021", 3), ("3 Μαρτίου 2021", 3), ("3 listopada 2021", 11)],
)  # fmt: skip
def test_whole_names_of_months_in_more_languages(cell, month):
    assert date(cell, column(format="%d %b %Y")) == datetime.date(2021, month, 3)


@pytest.mark.parametrize(
    ("cell", "format"), [("3-Mar-19", "%d-%b-%y"), ("12. 3. 2021", "%d. %m. %Y"), ("2021年3月5日", "%Y年%m月%d日")]
)
def test_a_date_without_a_format_is_refused_with_the_one_that_would_read_it(cell, format):
    assert date(cell, column()) is None
    assert date_fault(cell, column()) == f'not a date (format: "{format}"?)'
