"""Matching of records with properties: evidence for a match, against it, and uncertain cases."""

import pytest

from homei.resolution import candidate_blocks
from homei.resolution.property_matching import match_properties

HOME = {"property_id": "P1", "address": "Flat 3, 12 Linden Street", "latitude": 0.0, "longitude": 0.0, "floor": 1.0,
        "bedrooms": 2.0, "year_built": 1990.0}  # fmt: skip


@pytest.fixture
def matched(records_of, plane, settings):
    """Finds the property that a record is matched with."""

    def find(record, *properties):
        matches, _ = match_properties(
            records_of({**HOME, "property_id": None, **record}), records_of(*properties), plane, settings.match
        )
        return matches["property_id"].tolist()[0]

    return find


def test_different_spellings_of_an_address_match(matched):
    assert matched({"address": "LINDEN ST. 12/3", "latitude": 20.0, "square_meters": 80.4}, HOME) == "P1"


def test_another_unit_number_does_not_match(matched):
    assert matched({"address": "Linden St. 12/4"}, HOME) is None


def test_without_unit_number_the_attributes_decide(matched):
    other = {**HOME, "property_id": "P2", "address": "Flat 4, 12 Linden Street", "square_meters": 55.0, "floor": 4.0}
    assert matched({"address": "12 Linden Street"}, HOME, other) == "P1"


def test_two_properties_that_fit_equally_are_no_match(matched):
    twin = {**HOME, "property_id": "P2", "address": "Flat 4, 12 Linden Street"}
    assert matched({"address": "12 Linden Street"}, HOME, twin) is None


def test_a_mistyped_street_matches_nearby_but_not_far_away(matched):
    assert matched({"address": "Flat 3, 12 Lindne Street"}, HOME) == "P1"
    assert matched({"address": "Flat 3, 12 Lindne Street", "latitude": 3000.0}, HOME) is None


def test_without_coordinates_the_address_is_enough(matched):
    nowhere = {"latitude": None, "longitude": None}
    assert matched({"address": "12 Linden St, flat 3", **nowhere}, {**HOME, **nowhere}) == "P1"
    assert matched({"address": "12 Lindne St, flat 3", **nowhere}, HOME) == "P1"


def test_another_house_number_nearby_does_not_match(matched):
    house = {**HOME, "address": "14 Linden Street", "floor": None}
    assert matched({"address": "12 Linden Street", "floor": None, "latitude": 15.0}, house) is None


def test_contradicting_attributes_outweigh_a_shared_house(matched):
    assert matched({"address": "12 Linden Street", "square_meters": 140.0, "year_built": 2010.0}, HOME) is None


def test_no_records_and_no_properties_match_nothing(records_of, plane, settings):
    one = records_of(HOME)
    assert match_properties(one.head(0), one, plane, settings.match)[0].empty
    assert match_properties(one, one.head(0), plane, settings.match)[0]["property_id"].isna().all()


def test_a_block_of_too_many_properties_is_compared_by_unit_number_and_counted(
    records_of, plane, settings, monkeypatch
):
    monkeypatch.setattr(candidate_blocks, "MAX_BLOCK", 3)
    tower = [{**HOME, "property_id": f"P{unit}", "address": f"Flat {unit}, 12 Linden Street"} for unit in range(1, 6)]
    records = records_of(
        {**HOME, "property_id": None, "address": "12 Linden Street, flat 4"},
        {**HOME, "property_id": None, "address": "12 Linden Street"},
    )
    matches, oversized = match_properties(records, records_of(*tower), plane, settings.match)
    assert matches["property_id"].tolist() == ["P4", None]
    assert oversized.to_dict("records") == [
        {"block": "address", "key": "linden street 12", "properties": 5, "records": 1},
        {"block": "cell", "key": "0 0", "properties": 5, "records": 2},
    ]
