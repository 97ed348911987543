"""Addresses are parsed into the same parts in every spelling."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.resolution.addresses import ABBREVIATIONS, parse_addresses


def parts_of(*addresses):
    return parse_addresses(pd.Series(addresses, dtype=object)).to_numpy().tolist()


@pytest.mark.parametrize(
    "spelling",
    [
        "Flat 15, 18 Saltlea Court", "Apt 15 18 Saltlea Court", "SALTLEA CT. 18/15", "18, Saltlea Ct - flat 15",
        "Saltlea Ct 18, Unit 15", "18 saltlea ct., #15", "No. 18 Saltlea Court, apartment 15", "18 Sáltlea Court 15",
    ],
)  # fmt: skip
def test_spellings_of_a_flats_address_are_equal(spelling):
    assert parts_of(spelling) == [["saltlea court", "18", "15"]]


@pytest.mark.parametrize("spelling", ["12 Linden Street", "Linden St. 12", "12, LINDEN STR", "No. 12 Linden St"])
def test_spellings_of_a_houses_address_are_equal(spelling):
    assert parts_of(spelling) == [["linden street", "12", None]]


def test_a_saint_is_not_a_street():
    assert parts_of("4 St Mary Road", "4 St. Mary St.") == [["st mary road", "4", None], ["st mary street", "4", None]]


def test_house_and_unit_numbers_can_have_letters():
    assert parts_of("12b Linden Street, flat 3a") == [["linden street", "12b", "3a"]]


@pytest.mark.parametrize(
    ("spellings", "parts"),
    [
        (["Flat G, 12 Linden St", "12 Linden Street, Unit G", "Linden St 12 #G"], ["linden street", "12", "g"]),
        (["Apt 4-B 12 Linden Street", "12 Linden St, flat no. 4b"], ["linden street", "12", "4b"]),
        (["#03-12, 406 Mo Kio Ave 10", "406 Mo Kio Avenue 10 #3-12"], ["mo kio avenue 10", "406", "3-12"]),
        (["12-14 Linden St", "012 Linden St", "12 Linden Street, 2nd floor"], ["linden street", "12", None]),
        (["12 Linden Street, 10115 Berlin", "Linden St, 12, 10115", "Rose House, 12 Linden St"],
         ["linden street", "12", None]),
        (["10115 Linden Street, Springfield"], ["linden street", "10115", None]),
        (["4/12 Linden St", "Linden St 12/4", "12-4 Linden St"], ["linden street", "12", "4"]),
        (["12 Fifth Ave", "5th Avenue 12"], ["5th avenue", "12", None]),
        (["12 N Main St", "12 North Main Street"], ["north main street", "12", None]),
        (["Linden St E 12", "12 Linden Street East"], ["linden street east", "12", None]),
        (["Av. Foch 12", "12, avenue Foch"], ["avenue foch", "12", None]),
        (["4 Saint Mary Road", "4 St. Mary Rd"], ["st mary road", "4", None]),
        (["12 O'Connell St", "12 OConnell Street"], ["oconnell street", "12", None]),
    ],
)  # fmt: skip
def test_spellings_of_different_countries_are_equal(spellings, parts):
    assert parts_of(*spellings) == [parts] * len(spellings)


def test_letters_of_any_language_are_normalised():
    assert parts_of("Hauptstr. 5", "HAUPTSTRASSE 5", "Hauptstraße 5, 10115 Berlin") == [["hauptstrasse", "5", None]] * 3
    assert parts_of("Łódzka 5", "Lodzka 5") == [["lodzka", "5", None]] * 2
    assert parts_of("улица Ленина 12, кв. 4", "Улица Ленина, 12, кв 4") == [["улица ленина", "12", "4"]] * 2


def test_missing_parts_are_null():
    assert parts_of(None, "Linden Street", "12", "") == [
        [None, None, None], ["linden street", None, None], [None, "12", None], [None, None, None],
    ]  # fmt: skip


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9).filter(
    lambda word: word not in {*ABBREVIATIONS, "flat", "apt", "apartment", "unit", "suite", "number"}
)


@given(
    words, st.sampled_from(sorted(set(ABBREVIATIONS.values()))), st.integers(1, 999), st.integers(1, 99), st.randoms()
)
def test_order_and_case_do_not_matter(name, kind, house, unit, random):
    street = f"{name} {random.choice([short for short, long in ABBREVIATIONS.items() if long == kind] + [kind])}"
    spellings = [
        f"Flat {unit}, {house} {street}",
        f"{street.upper()} {house}/{unit}",
        f"{house} {street.title()}. #{unit}",
    ]
    assert parts_of(*spellings) == [[f"{name} {kind}", str(house), str(unit)]] * 3


@given(words, st.sampled_from(sorted(ABBREVIATIONS)), st.integers(1, 999), st.integers(1, 99))
def test_a_parsed_address_is_parsed_into_the_same_parts(name, kind, house, unit):
    ((street, house, unit),) = once = parts_of(f"{house} {name.title()} {kind}., flat {unit}")
    assert parts_of(f"{house} {street}, flat {unit}") == once


@given(st.text(max_size=40))
def test_any_text_can_be_parsed(address):
    ((street, house, unit),) = parts_of(address)
    assert all(part is None or part for part in (street, house, unit))
