"""Each way to break the contract is a reason of its own, and a row gets all of its reasons."""

import pytest

from homei.validation.contracts import ContractError, breaches, contract
from homei.validation.parsing import parse

CORE = ["transaction_id", "sale_date", "price", "square_meters", "property_type", "location"]


def reasons_of(raw, source):
    found = breaches(raw, parse(raw, source), source)
    return found.groupby("row")["reason"].agg(list).to_dict()


def test_a_valid_sale_has_no_reason(raw_of, source_of):
    assert reasons_of(raw_of({}, {}), source_of()) == {}


@pytest.mark.parametrize("name", CORE)
def test_required_columns_of_every_sale_may_not_be_missing(raw_of, source_of, name):
    assert reasons_of(raw_of({name: None}, {name: " "}, {name: "NA"}), source_of()) == {
        row: [f"{name}: missing"] for row in range(3)
    }


def test_columns_that_the_contract_requires_may_not_be_missing(raw_of, source_of):
    raw = raw_of({"floor": None, "energy": ""})
    assert reasons_of(raw, source_of(required=["floor", "energy"])) == {0: ["floor: missing", "energy: missing"]}
    assert reasons_of(raw, source_of()) == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": "cheap"}, "price: not a number"),
        ({"sale_date": "31.02.2024"}, "sale_date: not a date"),
        ({"sale_date": "2025-01-01"}, "sale_date: after 2024-12-31"),
        ({"sale_date": "0201-05-17"}, "sale_date: before 1900-01-01"),
        ({"floor": "99"}, "floor: outside [0, 60]"),
        ({"year_built": "1700.5"}, "year_built: outside [1800, 2024.5]"),
        ({"rooms": "0"}, "rooms: outside [1, 20]"),
        ({"longitude": "-11.5"}, "longitude: outside [11, 12]"),
        ({"price": "80000"}, "price_per_square_meter: outside [1100, 10000]"),
    ],
)
def test_each_violation_has_its_reason(raw_of, source_of, change, reason):
    ranges = {
        "floor": [0, 60], "year_built": [1800, 2024.5], "rooms": [1, 20], "longitude": [11, 12],
        "price_per_square_meter": [1100, 10000],
    }  # fmt: skip
    assert reasons_of(raw_of({}, change), source_of(ranges)) == {1: [reason]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": "0"}, "price: outside (0, 100000000]"),
        ({"price": "-5"}, "price: outside (0, 100000000]"),
        ({"price": "100000001"}, "price: outside (0, 100000000]"),
        ({"square_meters": "0"}, "square_meters: outside (0, 1000]"),
        ({"square_meters": "1000.5"}, "square_meters: outside (0, 1000]"),
    ],
)
def test_price_and_area_have_limits_without_a_declared_range(raw_of, source_of, change, reason):
    assert reasons_of(raw_of(change, {"price": "100000000", "square_meters": "1000"}), source_of()) == {0: [reason]}


def test_both_ends_of_a_range_are_valid(raw_of, source_of):
    assert reasons_of(raw_of({"floor": "0"}, {"floor": "60"}), source_of({"floor": [0, 60]})) == {}


def test_a_row_has_all_its_reasons_in_the_order_of_columns(raw_of, source_of):
    raw = raw_of({"floor": "top", "price": "-1", "location": None, "sale_date": "x", "square_meters": None})
    assert reasons_of(raw, source_of()) == {
        0: [
            "sale_date: not a date",
            "price: outside (0, 100000000]",
            "square_meters: missing",
            "location: missing",
            "floor: not a number",
        ]
    }


def test_an_unreadable_row_has_no_other_reason(raw_of, source_of):
    raw = raw_of({"price": None})
    raw["source_fault"] = ["row: 3 cells where the header has 13"]
    found = breaches(raw, parse(raw, source_of()), source_of())
    assert found.to_numpy().tolist() == [[0, "row: can't be read", "row: 3 cells where the header has 13"]]


def test_the_first_row_with_an_id_is_valid(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1", "price": "300000"}, {}, {"transaction_id": "T1"})
    assert reasons_of(raw, source_of()) == {1: ["duplicate: of line 2"], 3: ["duplicate: of line 2"]}


def test_spaces_around_an_id_do_not_make_another_id(raw_of, source_of):
    assert reasons_of(raw_of({}, {"transaction_id": " T1 "}), source_of()) == {1: ["duplicate: of line 2"]}


def test_the_reason_of_a_duplicate_names_the_other_file(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1"}).assign(source_file=["old.csv", "new.csv"])
    assert reasons_of(raw, source_of()) == {1: ["duplicate: of line 2 in old.csv"]}


def test_of_a_sale_entered_wrongly_and_then_correctly_the_correct_row_is_valid(raw_of, source_of):
    raw = raw_of({"price": None}, {"transaction_id": "T1"}, {"transaction_id": "T1", "price": "x"})
    assert reasons_of(raw, source_of()) == {
        0: ["price: missing"],
        2: ["price: not a number", "duplicate: of line 3"],
    }


def test_rows_without_id_are_not_duplicates_of_each_other(raw_of, source_of):
    raw = raw_of({"transaction_id": None}, {"transaction_id": None})
    assert reasons_of(raw, source_of()) == {0: ["transaction_id: missing"], 1: ["transaction_id: missing"]}


def test_without_ids_only_an_equal_row_is_a_duplicate(raw_of, source_of):
    source = source_of(only={"sale_date", "price", "square_meters", "property_type", "location", "floor"})
    raw = raw_of({"floor": None}, {}, {"floor": None}, {"price": "250001"}, {})
    assert reasons_of(raw, source) == {2: ["duplicate: of line 2"], 4: ["duplicate: of line 3"]}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"required": ["flor"]}, r"contract.required: 'flor' .* did you mean 'floor'\?"),
        ({"ranges": {"prize": [0, 1]}}, r"contract.ranges: 'prize' .* did you mean 'price'\?"),
        ({"ranges": {"location": [0, 1]}}, r"contract.ranges: 'location' is not a column"),
        ({"only": {"price", "location"}}, r"contract.required: 'property_type' is not a column"),
    ],
)
def test_a_contract_with_unknown_columns_is_an_error(source_of, parts, message):
    with pytest.raises(ContractError, match=message):
        contract(source_of(**parts))
