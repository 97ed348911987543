"""Text is parsed into numbers, dates and areas as the source declares them."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.config.feeds import Column
from homei.storage import lake
from homei.validation.parsing import date, number, parse, plain_numbers, read_each


def column(**options):
    return Column(column="x", **options)


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        ("250000", {}, 250000.0),
        ("-1.5e3", {}, -1500.0),
        (".5", {}, 0.5),
        ("1,200,000.50", {"thousands": ","}, 1200000.5),
        ("12,34,567", {"thousands": ","}, 1234567.0),
        ("1.234,56", {"thousands": ".", "decimal": ","}, 1234.56),
        ("1\u202f234,5", {"thousands": " ", "decimal": ","}, 1234.5),
        ("1’234.50", {"thousands": "'"}, 1234.5),
        ("70,5", {"decimal": ","}, 70.5),
        ("07 TO 09", {"band": " TO "}, 8.0),
        ("07TO08", {"band": " TO "}, 7.5),
        ("12", {"band": " TO "}, 12.0),
        ("1.000-1.999", {"band": "-", "thousands": ".", "decimal": ","}, 1499.5),
        ("1000", {"unit": "square_feet"}, 92.90304),
    ],
)
def test_a_number_is_read_as_declared(cell, options, expected):
    assert number(cell, column(**options)) == expected


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("250.000,00", {}),
        ("1,200,000", {}),
        ("12,00", {"thousands": ","}),
        ("1234.5", {"thousands": ".", "decimal": ","}),
        ("70.5", {"decimal": ","}),
        ("inf", {}),
        ("nan", {}),
        ("1e999", {}),
        ("0x10", {}),
        ("1_000", {}),
        ("٣", {}),
        ("EUR 5", {}),
        ("09 TO 07", {"band": " TO "}),
        ("1 TO 2 TO 3", {"band": " TO "}),
        ("TO 3", {"band": " TO "}),
    ],
)
def test_other_notations_are_not_a_number(cell, options):
    assert number(cell, column(**options)) is None


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
    ],
)
def test_a_date_is_read_in_its_format_or_iso_8601(cell, format, expected):
    assert date(cell, column(format=format)) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("45366", datetime.date(2024, 3, 15)),
        ("45366.75", datetime.date(2024, 3, 15)),
        ("61", datetime.date(1900, 3, 1)),
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


def test_columns_are_typed_and_unreadable_cells_are_marked(raw_of, source_of):
    raw = raw_of({}, {"price": " n/a ", "floor": "top", "sale_date": "May", "location": "  East "}, {"rooms": "many"})
    parsed = parse(raw, source_of())
    assert parsed.columns["price"].dtype == float
    assert parsed.columns["price"].isna().tolist() == [False, True, False]
    assert parsed.columns["location"].tolist() == ["East"] * 3
    unreadable = {name: mask.tolist() for name, mask in parsed.unreadable.items() if mask.any()}
    assert unreadable == {
        "sale_date": [False, True, False],
        "floor": [False, True, False],
        "rooms": [False, False, True],
    }


def test_a_feed_declares_its_values_for_missing(raw_of, source_of):
    parsed = parse(raw_of({"floor": "-"}, {"floor": "NA"}), source_of(given={"missing": ["-"]}))
    assert parsed.unreadable["floor"].tolist() == [False, True]


def test_a_number_can_mean_missing(raw_of, source_of):
    parsed = parse(raw_of({"floor": "9999"}, {"floor": "4"}), source_of(given={"missing": ["9999"]}))
    assert parsed.columns["floor"].isna().tolist() == [True, False]
    assert not parsed.unreadable["floor"].any()


def test_columns_that_the_source_does_not_map_are_empty(raw_of, source_of):
    source = source_of(only={"sale_date", "price", "square_meters", "property_type", "location"})
    parsed = parse(raw_of({}, drop=["floor", "property_id", "rooms", "energy"]), source)
    assert parsed.columns["floor"].isna().all()
    assert parsed.columns["property_id"].tolist() == [None]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_exactly(value):
    assert number(repr(value), column()) == value


@given(st.integers(0, 10**12), st.sampled_from([",", ".", " ", "'"]))
def test_thousands_are_read_back_exactly(value, mark):
    decimal = "," if mark == "." else "."
    assert number(f"{value:,}".replace(",", mark), column(thousands=mark, decimal=decimal)) == value


@given(
    st.lists(
        st.one_of(st.floats(allow_nan=False).map(repr), st.integers(-(10**20), 10**20).map(str), st.text(max_size=5))
    )
)
def test_numbers_converted_by_arrow_equal_numbers_read_one_by_one(cells):
    for cell, value in zip(cells, plain_numbers(cells), strict=True):
        assert math.isnan(value) or value == number(cell, column())


@given(st.lists(st.one_of(st.none(), st.integers(0, 99).map(str), st.sampled_from(["", " 7", "-", "n/a", "1e3", "x"]))))
def test_a_plain_column_equals_its_cells_read_one_by_one(cells):
    column_of_texts = pd.Series(cells, dtype=lake.TEXT)
    together, one_by_one = (
        read_each(column_of_texts, lambda cell: number(cell, column()), ["-", "9"], np.float64, plain)
        for plain in (True, False)
    )
    for result, expected in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(result, expected)
