"""One address, however it is spelled."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.entities.addresses import ABBREVIATIONS, taken_apart


def parts_of(*addresses):
    return taken_apart(pd.Series(addresses, dtype=object)).to_numpy().tolist()


@pytest.mark.parametrize(
    "spelling",
    [
        "Flat 15, 18 Saltlea Court", "Apt 15 18 Saltlea Court", "SALTLEA CT. 18/15", "18, Saltlea Ct - flat 15",
        "Saltlea Ct 18, Unit 15", "18 saltlea ct., #15", "No. 18 Saltlea Court, apartment 15", "18 Sáltlea Court 15",
    ],
)  # fmt: skip
def test_spellings_of_a_flat_meet(spelling):
    assert parts_of(spelling) == [["saltlea court", "18", "15"]]


@pytest.mark.parametrize("spelling", ["12 Linden Street", "Linden St. 12", "12, LINDEN STR", "No. 12 Linden St"])
def test_spellings_of_a_house_meet(spelling):
    assert parts_of(spelling) == [["linden street", "12", None]]


def test_a_saint_is_no_street():
    assert parts_of("4 St Mary Road", "4 St. Mary St.") == [["st mary road", "4", None], ["st mary street", "4", None]]


def test_letters_belong_to_numbers():
    assert parts_of("12b Linden Street, flat 3a") == [["linden street", "12b", "3a"]]


def test_what_is_not_told_is_null():
    assert parts_of(None, "Linden Street", "12", "") == [
        [None, None, None], ["linden street", None, None], [None, "12", None], [None, None, None],
    ]  # fmt: skip


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9).filter(
    lambda word: word not in {*ABBREVIATIONS, "flat", "apt", "apartment", "unit", "suite", "number"}
)


@given(
    words, st.sampled_from(sorted(set(ABBREVIATIONS.values()))), st.integers(1, 999), st.integers(1, 99), st.randoms()
)
def test_any_order_and_case_is_the_same_address(name, kind, house, unit, random):
    street = f"{name} {random.choice([short for short, long in ABBREVIATIONS.items() if long == kind] + [kind])}"
    spellings = [
        f"Flat {unit}, {house} {street}",
        f"{street.upper()} {house}/{unit}",
        f"{house} {street.title()}. #{unit}",
    ]
    assert parts_of(*spellings) == [[f"{name} {kind}", str(house), str(unit)]] * 3


@given(st.text(max_size=40))
def test_any_text_can_be_taken_apart(address):
    ((street, house, unit),) = parts_of(address)
    assert all(part is None or part for part in (street, house, unit))
