"""Text is parsed into numbers, dates and areas as the source declares them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.config.columns import Column
from homei.storage import lake
from homei.validation.notations import NotationError
from homei.validation.numbers import number, number_fault
from homei.validation.parsing import Reader, parse, plain_numbers, read_each


def column(**options):
    return Column(column="x", **options)


def test_columns_are_typed_and_unreadable_cells_are_marked(raw_of, source_of):
    raw = raw_of({}, {"price": " n/a ", "floor": "top", "sale_date": "May", "location": "  East "}, {"rooms": "many"})
    parsed = parse(raw, source_of())
    assert parsed.columns["price"].dtype == float
    assert parsed.columns["price"].isna().tolist() == [False, True, False]
    assert parsed.columns["location"].tolist() == ["East"] * 3
    assert {name: faults for name, faults in parsed.faults.items() if faults} == {
        "sale_date": {1: "not a date"},
        "floor": {1: "not a number"},
        "rooms": {2: "not a number"},
    }


def test_a_feed_declares_its_values_for_missing(raw_of, source_of):
    parsed = parse(raw_of({"floor": "-"}, {"floor": "NA"}), source_of(given={"missing": ["-"]}))
    assert parsed.faults["floor"] == {1: "not a number"}


def test_a_number_can_mean_missing(raw_of, source_of):
    parsed = parse(raw_of({"floor": "9999"}, {"floor": "4"}), source_of(given={"missing": ["9999"]}))
    assert parsed.columns["floor"].isna().tolist() == [True, False]
    assert not parsed.faults["floor"]


def test_columns_that_the_source_does_not_map_are_empty(raw_of, source_of):
    source = source_of(only={"sale_date", "price", "square_meters", "property_type", "location"})
    parsed = parse(raw_of({}, drop=["floor", "property_id", "rooms", "energy"]), source)
    assert parsed.columns["floor"].isna().all()
    assert parsed.columns["property_id"].tolist() == [None]


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
    reader = Reader(lambda cell: number(cell, column()), lambda cell: number_fault(cell, column()))
    column_of_texts = pd.Series(cells, dtype=lake.TEXT)
    together, one_by_one = (
        read_each(column_of_texts, reader, ["-", "9"], np.float64, plain) for plain in (True, False)
    )
    np.testing.assert_array_equal(together[0], one_by_one[0])
    assert together[1] == one_by_one[1]


def test_a_column_declares_its_own_values_for_missing(raw_of, source_of):
    columns = {"year_built": {"missing": ["0"]}, "energy": {"missing": []}}
    parsed = parse(raw_of({"year_built": "0.0", "energy": "NA", "floor": "0"}), source_of(columns=columns))
    assert parsed.columns["year_built"].isna().all()
    assert parsed.columns.loc[0, ["energy", "floor"]].tolist() == ["NA", 0.0]


def test_values_that_look_alike_are_one_category(raw_of, source_of):
    cells = ["Mühlental Süd", "Mu\u0308hlental  Su\u0308d", "Mühlental\u00a0Süd ", "Mühlental\nSüd\u200b"]
    parsed = parse(raw_of(*({"location": cell} for cell in cells)), source_of())
    assert parsed.columns["location"].unique().tolist() == ["Mühlental Süd"]


def test_the_currency_of_the_city_is_expected(raw_of, source_of):
    parsed = parse(raw_of({"price": "€ 250000"}, {"price": "$ 250000"}), source_of())
    assert parsed.columns["price"][0] == 250000
    assert parsed.faults["price"] == {1: "not in EUR"}


def test_midnights_of_another_time_zone_ask_for_the_time_zone(raw_of, source_of):
    raw = raw_of({"sale_date": "2024-05-31T22:00:00+00:00"})
    with pytest.raises(NotationError, match=r"feeds\.sales \(main\): columns\.sale_date: 1 of 1 .* `timezone: Europe"):
        parse(raw, source_of())
    parsed = parse(raw, source_of(columns={"sale_date": {"timezone": "Europe/Berlin"}}))
    assert parsed.columns["sale_date"][0] == pd.Timestamp("2024-06-01")


def test_points_that_could_separate_thousands_ask_for_the_notation(raw_of, source_of):
    raw = raw_of(*({"price": f"{number}.500"} for number in range(250, 260)))
    with pytest.raises(NotationError, match=r"columns\.price: all 10 different numbers .* `thousands: \"\.\"`"):
        parse(raw, source_of())
    german = source_of(columns={"price": {"thousands": ".", "decimal": ","}})
    assert parse(raw, german).columns["price"][0] == 250_500
    assert parse(raw, source_of(columns={"price": {"decimal": "."}})).columns["price"][0] == 250.5
    assert parse(raw_of({"price": "250.500"}, {"price": "250.5"}), source_of()).columns["price"][0] == 250.5


def test_a_feed_may_have_another_system_of_coordinates(raw_of, source_of):
    raw = raw_of({"latitude": "5333000", "longitude": "690000"}, {"latitude": "0", "longitude": "0"})
    parsed = parse(raw, source_of(given={"system": "EPSG:32632"}))
    assert parsed.columns["latitude"][0] == pytest.approx(48.12, abs=0.01)
    assert parsed.faults["latitude"] == parsed.faults["longitude"] == {1: "0, 0 is no location"}


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ({"latitude": "5333000", "longitude": "690000"}, r"outside \[46\.7525, 49\.4475\]"),
        ({"latitude": "11.5", "longitude": "48.1"}, "swapped with longitude"),
    ],
)
def test_coordinates_that_are_mostly_not_in_the_city_ask_for_its_system(raw_of, source_of, point, reason):
    with pytest.raises(NotationError, match=rf"\(main\): 10 of 11 coordinates are {reason}: correct city.coordinates"):
        parse(raw_of(*[point] * 10, {}), source_of())
    assert len(parse(raw_of(*[point] * 5, *[{}] * 6), source_of()).faults["latitude"]) == 5
