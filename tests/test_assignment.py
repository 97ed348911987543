"""Each unit always meets the same model, a share of them the challenger, whatever another experiment did."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from homei.assignment import CHALLENGER, CHAMPION, Design, fraction

SALTS = st.from_regex(r"\A[A-Za-z0-9._-]{1,64}\Z")
SHARES = st.floats(0, 1)
UNITS = [f"P{number:05d}" for number in range(4000)]


def design(share=0.3, salt="spring", unit="property"):
    return Design(salt, unit, share, "aaaa", "bbbb")


def test_a_unit_has_the_fraction_it_always_had():
    assert [round(fraction("spring", unit), 6) for unit in ("P00101", "", "Ärger 🏠")] == [0.622127, 0.516215, 0.699699]


@given(SALTS, st.text())
def test_a_fraction_is_one_whatever_the_unit_is_called(salt, unit):
    assert 0 <= fraction(salt, unit) < 1
    assert fraction(salt, unit) == fraction(salt, unit)


@given(SALTS, SHARES)
def test_as_many_meet_the_challenger_as_its_share_allows(salt, share):
    taken = sum(design(share, salt).variant(unit) == CHALLENGER for unit in UNITS)
    # Two in 10,000,000 such counts lie beyond.
    low, high = binom.ppf([1e-7, 1 - 1e-7], len(UNITS), share)
    assert low <= taken <= high


@given(SALTS, st.text(), SHARES, SHARES)
def test_a_larger_share_takes_units_from_the_champion_and_gives_it_none(salt, unit, one, other):
    less, more = sorted((one, other))
    if design(less, salt).variant(unit) == CHALLENGER:
        assert design(more, salt).variant(unit) == CHALLENGER


@given(SALTS, SALTS)
def test_another_salt_shuffles_anew(salt, other):
    one, two = (Counter(unit for unit in UNITS if fraction(each, unit) < 0.5) for each in (salt, other))
    both = len(one & two)
    if salt == other:
        assert one == two
    else:
        assert binom.ppf(1e-7, len(UNITS), 0.25) <= both <= binom.ppf(1 - 1e-7, len(UNITS), 0.25)


@given(st.text())
def test_no_share_takes_nobody_and_the_whole_share_takes_all(unit):
    assert design(0.0).variant(unit) == CHAMPION
    assert design(1.0).variant(unit) == CHALLENGER


def test_who_tells_no_unit_meets_the_champion():
    for by, row, client in (("property", {"property_id": None}, "partner"), ("client", {"property_id": "P1"}, None)):
        whole = design(1.0, unit=by)
        assert whole.unit_of(row, client) is None
        assert whole.variant(whole.unit_of(row, client)) == CHAMPION
    assert design().unit_of({"property_id": "P1"}, "partner") == "P1"
    assert design(unit="client").unit_of({"property_id": "P1"}, "partner") == "partner"


@given(SALTS, SHARES)
def test_a_name_tells_the_whole_experiment(salt, share):
    named = design(share, salt)
    assert Design.named(named.name) == named


@pytest.mark.parametrize("name", ["", "spring", "spring/home/0.2/a/b", "spring/property/much/a/b"])
def test_what_names_no_experiment_is_refused(name):
    with pytest.raises(ValueError):
        Design.named(name)
