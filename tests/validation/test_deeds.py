"""The rows of a deed are one sale at one price, or none."""

import pytest

from homei.validation.validate import validate_records

HOUSE, BARN = {"property_type": "house"}, {"property_type": "barn", "square_meters": None}


@pytest.fixture
def validated(raw_of, source_of):
    """Validates rows with the numbers of their deeds; areas are required."""

    def run(*rows, deeds):
        raw = raw_of(*rows).assign(source_deed=deeds)
        return validate_records(raw, source_of(given={"deed": "act"}, required=["square_meters"]))

    return run


def reasons(frame):
    return dict(zip(frame["row"].tolist(), frame["reason"], strict=True))


def test_a_house_with_its_outbuildings_is_one_sale_wherever_they_stand(validated):
    found = validated(BARN, HOUSE, BARN, HOUSE, deeds=["A", "A", "A", "B"])
    assert found.valid["source_line"].tolist() == [3, 5]
    assert reasons(found.asides) == {0: "deed: further row of line 3", 2: "deed: further row of line 3"}
    assert found.breaches.empty


def test_a_property_stated_twice_is_one_sale(validated):
    found = validated(HOUSE, {**HOUSE, "latitude": "48.2", "transaction_id": "T1"}, deeds=["A", "A"])
    assert found.valid["source_line"].tolist() == [2]
    assert reasons(found.asides) == {1: "deed: further row of line 2"}


@pytest.mark.parametrize("other", [{"square_meters": "90"}, {"property_id": "P2"}, {"property_type": "shop"}])
def test_several_properties_at_one_price_are_no_sale(validated, other):
    found = validated(HOUSE, {**HOUSE, **other}, BARN, deeds=["A", "A", "A"])
    assert found.valid.empty
    assert reasons(found.breaches) == {0: "deed: several properties at one price"}
    assert reasons(found.asides) == dict.fromkeys([1, 2], "deed: further row of line 2")


@pytest.mark.parametrize("other", [{"price": "1000"}, {"sale_date": "2024-05-18"}])
def test_rows_with_the_same_number_of_a_deed_but_other_dates_or_prices_are_all_rejected(validated, other):
    found = validated(HOUSE, {**HOUSE, **other}, BARN, deeds=["A"] * 3)
    assert found.valid.empty
    assert reasons(found.breaches) == dict.fromkeys([0, 1], "deed: different dates or prices") | {
        2: "square_meters: missing"
    }


def test_the_rows_of_a_deed_without_a_property_keep_their_own_reasons(validated):
    found = validated(BARN, BARN, deeds=["A", "A"])
    assert set(reasons(found.breaches).values()) == {"square_meters: missing"}


def test_rows_without_the_number_of_a_deed_are_sales_of_their_own(validated):
    assert len(validated(HOUSE, HOUSE, deeds=[None, None]).valid) == 2


def test_without_required_areas_the_rows_that_have_one_state_the_sale(raw_of, source_of):
    raw = raw_of(BARN, HOUSE).assign(source_deed="A")
    found = validate_records(raw, source_of(given={"deed": "act"}))
    assert found.valid["source_line"].tolist() == [3]


def test_a_deed_that_a_later_file_states_again_is_that_of_the_later_file(raw_of, source_of):
    raw = raw_of(HOUSE, BARN, HOUSE, {**HOUSE, "price": "260000", "transaction_id": "T1"}, BARN, {**HOUSE})
    raw = raw.assign(source_deed=["A", "A", "B", "A", "A", "B"], source_file=["old.csv"] * 3 + ["new.csv"] * 3)
    raw.loc[5, "transaction_id"] = raw.loc[2, "transaction_id"]
    found = validate_records(raw, source_of(given={"deed": "act"}, required=["square_meters"]))
    assert found.valid["price"].tolist() == [260000.0, 250000.0]
    assert reasons(found.asides) == {
        0: "replaced: by line 5 in new.csv",
        1: "replaced: by line 5 in new.csv",
        2: "already stated: in line 7 in new.csv",
        4: "deed: further row of line 5",
    }
    assert found.breaches.empty
