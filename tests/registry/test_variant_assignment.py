"""Each unit always gets the same model, independently of other experiments."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign, hash_fraction

SALTS = st.from_regex(r"\A[A-Za-z0-9._-]{1,64}\Z")
SHARES = st.floats(0, 1)
UNITS = [f"P{number:05d}" for number in range(4000)]


def design(share=0.3, salt="spring", unit="property"):
    return ExperimentDesign(salt, unit, share, "aaaa", "bbbb")


def test_the_hash_is_stable_across_releases():
    assert [round(hash_fraction("spring", unit), 6) for unit in ("P00101", "", "Ärger 🏠")] == [
        0.622127,
        0.516215,
        0.699699,
    ]


@given(SALTS, st.text())
def test_any_text_has_a_fraction_between_0_and_1(salt, unit):
    assert 0 <= hash_fraction(salt, unit) < 1
    assert hash_fraction(salt, unit) == hash_fraction(salt, unit)


@given(SALTS, SHARES)
def test_the_challenger_gets_its_share_of_units(salt, share):
    taken = sum(design(share, salt).variant(unit) == CHALLENGER for unit in UNITS)
    # By chance, two of 10,000,000 counts lie outside.
    low, high = binom.ppf([1e-7, 1 - 1e-7], len(UNITS), share)
    assert low <= taken <= high


@given(SALTS, st.text(), SHARES, SHARES)
def test_a_larger_share_keeps_the_challengers_units(salt, unit, one, other):
    less, more = sorted((one, other))
    if design(less, salt).variant(unit) == CHALLENGER:
        assert design(more, salt).variant(unit) == CHALLENGER


@given(SALTS, SALTS)
def test_another_salt_gives_an_independent_assignment(salt, other):
    one, two = (Counter(unit for unit in UNITS if hash_fraction(each, unit) < 0.5) for each in (salt, other))
    both = len(one & two)
    if salt == other:
        assert one == two
    else:
        assert binom.ppf(1e-7, len(UNITS), 0.25) <= both <= binom.ppf(1 - 1e-7, len(UNITS), 0.25)


@given(st.text())
def test_shares_of_0_and_1_assign_no_unit_and_every_unit(unit):
    assert design(0.0).variant(unit) == CHAMPION
    assert design(1.0).variant(unit) == CHALLENGER


def test_a_request_without_a_unit_gets_the_champion():
    for by, row, client in (("property", {"property_id": None}, "partner"), ("client", {"property_id": "P1"}, None)):
        whole = design(1.0, unit=by)
        assert whole.unit_of(row, client) is None
        assert whole.variant(whole.unit_of(row, client)) == CHAMPION
    assert design().unit_of({"property_id": "P1"}, "partner") == "P1"
    assert design(unit="client").unit_of({"property_id": "P1"}, "partner") == "partner"


@given(SALTS, SHARES)
def test_a_design_can_be_read_back_from_its_name(salt, share):
    parsed = design(share, salt)
    assert ExperimentDesign.from_name(parsed.name) == parsed


@pytest.mark.parametrize("name", ["", "spring", "spring/home/0.2/a/b", "spring/property/much/a/b"])
def test_an_invalid_name_raises_an_error(name):
    with pytest.raises(ValueError):
        ExperimentDesign.from_name(name)
