"""Numbers are read in the notations of registers and portals, and in no other one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.config.columns import Column
from homei.validation.numbers import CURRENCY_SIGNS, number, number_fault


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
        ("132,000.00", {"thousands": ".", "decimal": ","}),
        ("132.000,00", {"thousands": ","}),
        ("70.5", {"decimal": ","}),
        ("370,500.00", {"thousands": ".", "decimal": ","}),
        ("370.500,00", {"thousands": ","}),
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


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_exactly(value):
    assert number(repr(value), column()) == value


@given(st.integers(0, 10**12), st.sampled_from([",", ".", " ", "'"]))
def test_thousands_are_read_back_exactly(value, mark):
    decimal = "," if mark == "." else "."
    assert number(f"{value:,}".replace(",", mark), column(thousands=mark, decimal=decimal)) == value


@pytest.mark.parametrize(
    ("cell", "currency", "options", "expected"),
    [
        ("$350,000", "USD", {"thousands": ","}, 350_000),
        ("US$ 350 000", "USD", {"thousands": " "}, 350_000),
        ("-$5", "USD", {}, -5),
        ("$(1,200.50)", "USD", {"thousands": ","}, -1200.5),
        ("(1200)", "USD", {}, -1200),
        ("−1200", "USD", {}, -1200),
        ("$1.2M", "USD", {}, 1_200_000),
        ("350k", "USD", {}, 350_000),
        ("£1.2m", "GBP", {}, 1_200_000),
        ("350.000,- €", "EUR", {"thousands": ".", "decimal": ","}, 350_000),
        ("EUR 5", "EUR", {}, 5),
        ("1\u00a0569\u2007200,00\u3000zł", "PLN", {"thousands": " ", "decimal": ","}, 1_569_200),
        ("1'250.-", "CHF", {"thousands": "'"}, 1250),
        ("5 kr.", "DKK", {}, 5),
        ("1 200 000:-", "SEK", {"thousands": " "}, 1_200_000),
        ("Rs. 45,00,000/-", "INR", {"thousands": ","}, 4_500_000),
        ("85 lakh", "INR", {}, 8_500_000),
        ("₹1.2 Crore", "INR", {}, 12_000_000),
        ("3,500万円", "JPY", {"thousands": ","}, 35_000_000),
        ("1億2,500万円", "JPY", {"thousands": ","}, 125_000_000),
        ("1.2亿", "CNY", {}, 120_000_000),
        ("￥１２３", "JPY", {}, 123),
        ("3억 5,000만원", "KRW", {"thousands": ","}, 350_000_000),
        ("35,000", "KRW", {"thousands": ",", "factor": 10_000.0}, 350_000_000),
        ("84,1 m²", "EUR", {"decimal": ","}, 84.1),
        ("1000 sq. ft.", "USD", {"unit": "square_feet"}, 92.90304),
        ("$100k - $200k", "USD", {"band": "-"}, 150_000),
    ],
)
def test_signs_units_and_multipliers_around_a_number_are_understood(cell, currency, options, expected):
    assert number(cell, column(**options), currency) == expected


@pytest.mark.parametrize(
    ("cell", "options", "fault"),
    [
        ("€ 350000", {}, "not in USD"),
        ("350000 SEK", {}, "not in USD"),
        ("92 sq ft", {}, "not in square meters"),
        ("92 m²", {"unit": "square_feet"}, "not in square feet"),
        ("$350,000", {}, 'not a number (thousands: ","?)'),
        ("350.000,00", {}, 'not a number (thousands: "."?)'),
        ("350 000", {}, 'not a number (thousands: " "?)'),
        ("70,5", {}, 'not a number (decimal: ","?)'),
        ("12²", {}, "not a number"),
        ("$.50", {}, "not a number"),
        ("5-", {}, "not a number"),
        ("(5", {}, "not a number"),
        ("m²", {}, "not a number"),
        ("approx. 5", {}, "not a number"),
    ],
)
def test_another_currency_unit_or_notation_is_named(cell, options, fault):
    assert number(cell, column(**options), "USD") is None
    assert number_fault(cell, column(**options), "USD") == fault


@given(st.integers(0, 10**9), st.sampled_from(sorted(CURRENCY_SIGNS)), st.booleans(), st.sampled_from(["", " "]))
def test_every_sign_of_a_currency_is_read_before_and_behind(value, currency, is_before, space):
    for sign in CURRENCY_SIGNS[currency].split():
        cell = f"{sign}{space}{value}" if is_before else f"{value}{space}{sign}"
        assert number(cell, column(), currency) == value


@pytest.mark.parametrize(
    ("cell", "currency", "value"),
    [
        ("1.2 mln", "PLN", 1_200_000),
        ("3.5 mil. Kč", "CZK", 3_500_000),
        ("R$ 350 mil", "BRL", 350_000),
        ("350 mil €", "EUR", None),
        ("4800 tkr", "SEK", 4_800_000),
        ("1995年", "JPY", 1995),
        ("35 tsubo", "JPY", None),
    ],
)
def test_multipliers_of_more_languages_and_none_that_means_two(cell, currency, value):
    assert number(cell, Column(column="x"), currency) == value


def test_areas_in_tsubo_and_square_yards():
    assert number("30 坪", Column(column="x", unit="tsubo")) == 99.173554
    assert number("120 sq. yd", Column(column="x", unit="square_yards")) == 100.335283
