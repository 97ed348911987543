"""Each way to break the contract is a reason of its own, and a row gets all of its reasons."""

import pandas as pd
import pytest

from homei.validation.contracts import ContractError, contract, limits
from homei.validation.validate import validate_records

CORE = ["transaction_id", "sale_date", "price", "property_type", "location"]


def reasons_of(raw, source, table="sales"):
    """The reasons of each row that is rejected, by its position."""
    return validate_records(raw, source, table).breaches.groupby("row")["reason"].agg(list).to_dict()


def lost_cells(raw, source, table="sales"):
    """The reasons of the cells that valid rows have lost, by the rows' positions."""
    return validate_records(raw, source, table).cells.groupby("row")["reason"].agg(list).to_dict()


def test_a_valid_sale_has_no_reason(raw_of, source_of):
    assert reasons_of(raw_of({}, {}), source_of()) == {}


@pytest.mark.parametrize("name", CORE)
def test_required_columns_of_every_sale_may_not_be_missing(raw_of, source_of, name):
    assert reasons_of(raw_of({name: None}, {name: " "}, {name: "NA"}), source_of()) == {
        0: [f"{name}: missing"],
        1: [f"{name}: missing"],
        2: [f"{name}: missing, the cell says NA"],
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
        ({"price": "80000"}, "price_per_square_meter: outside [1100, 10000]"),
    ],
)
def test_each_violation_has_its_reason(raw_of, source_of, change, reason):
    assert reasons_of(raw_of({}, change), source_of({"price_per_square_meter": [1100, 10000]})) == {1: [reason]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"floor": "top"}, "floor: not a number"),
        ({"floor": "99"}, "floor: outside [0, 60]"),
        ({"year_built": "1700.5"}, "year_built: outside [1800, 2024.5]"),
        ({"rooms": "0"}, "rooms: outside [1, 20]"),
        ({"longitude": "-11.5"}, "longitude: outside [11, 12]"),
        ({"property_id": "1.4082E+13"}, "property_id: rounded by a spreadsheet"),
    ],
)
def test_a_wrong_cell_of_an_optional_column_costs_the_cell_and_not_the_sale(raw_of, source_of, change, reason):
    ranges = {"floor": [0, 60], "year_built": [1800, 2024.5], "rooms": [1, 20], "longitude": [11, 12]}
    raw, source = raw_of({}, change), source_of(ranges)
    assert reasons_of(raw, source) == {}
    assert lost_cells(raw, source) == {1: [reason]}
    (column,) = change
    values = validate_records(raw, source).valid[[column, "latitude", "price"]].isna()
    assert values.to_numpy().tolist() == [[False, False, False], [True, column == "longitude", False]]
    assert reasons_of(raw, source_of(ranges, required=["sale_date", *change])) == {1: [reason]}


def test_a_price_per_square_meter_is_not_judged_by_a_lost_area(raw_of, source_of):
    raw, source = raw_of({"square_meters": "9000"}), source_of({"price_per_square_meter": [1100, 10000]})
    assert lost_cells(raw, source) == {0: ["square_meters: outside (0, 1000]"]}
    assert reasons_of(raw, source) == {}


def test_a_listing_whose_end_cannot_be_read_is_rejected_and_one_that_ends_later_is_open(source_of):
    columns = {name: name for name in ("listing_id", "listed_on", "closed_on", "property_type", "location")}
    source = source_of(listings={"kind": "files", "files": ["l.csv"], "columns": columns})
    ends = ["2024-06-01", "soon", "2025-02-01"]
    raw = pd.DataFrame({"listing_id": ["1", "2", "3"], "listed_on": "2024-05-01", "closed_on": ends}, dtype=object)
    raw = raw.assign(property_type="flat", location="East").reindex(columns=source.columns("listings"))
    raw = raw.assign(source_feed="main", source_file="l.csv", source_line=2, source_fault=None)
    assert reasons_of(raw, source, "listings") == {1: ["closed_on: not a date"]}
    assert lost_cells(raw, source, "listings") == {2: ["closed_on: after 2024-12-31"]}


@pytest.mark.parametrize("identifier", ["1.4082E+13", "1.31e+13", "1,4E+13", "9.00719925474099e+15"])
def test_a_rounded_identifier_of_the_sale_itself_is_a_reason(raw_of, source_of, identifier):
    reasons = reasons_of(raw_of({"transaction_id": identifier}), source_of())
    assert reasons == {0: ["transaction_id: rounded by a spreadsheet"]}


@pytest.mark.parametrize("identifier", ["0012", "12E4", "1E5", "14082123456789012345", "A1E+B"])
def test_other_identifiers_keep_their_digits(raw_of, source_of, identifier):
    valid = validate_records(raw_of({"transaction_id": identifier, "property_id": identifier}), source_of()).valid
    assert valid[["transaction_id", "property_id"]].to_numpy().tolist() == [[identifier] * 2]


def test_default_limits_follow_the_units_of_the_currency(raw_of, source_of):
    source = source_of()
    yen = source._replace(city=source.city.model_copy(update={"currency": "JPY"}))
    raw = raw_of({"price": "150000000"})
    assert reasons_of(raw, source) == {0: ["price: outside (0, 100000000]"]}
    assert reasons_of(raw, yen) == {}
    declared = source_of({"price": [1, 5]})
    assert limits(declared)[0] == {"column": "price", "low": 1, "high": 5, "is_declared": True}
    assert limits(declared)[1] == {"column": "square_meters", "low": 0, "high": 1000, "is_declared": False}


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
    raw = raw_of(change, {"price": "100000000", "square_meters": "1000"})
    assert reasons_of(raw, source_of(required=["square_meters"])) == {0: [reason]}


def test_both_ends_of_a_range_are_valid(raw_of, source_of):
    assert reasons_of(raw_of({"floor": "0"}, {"floor": "60"}), source_of({"floor": [0, 60]})) == {}


def test_a_row_has_all_its_reasons_in_the_order_of_columns(raw_of, source_of):
    raw = raw_of({"floor": "top", "price": "-1", "location": None, "sale_date": "x", "square_meters": None})
    assert reasons_of(raw, source_of(required=["square_meters", "floor"])) == {
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
    found = validate_records(raw, source_of()).breaches
    assert found[["row", "kind", "reason"]].to_numpy().tolist() == [
        [0, "row: can't be read", "row: 3 cells where the header has 13"]
    ]


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
