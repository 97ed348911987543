"""Planted faults: each spoils what it says, as often as it says, and nothing else."""

import pandas as pd
import pytest

from homei.demo.faults import FAULT_KINDS

SHARES = dict.fromkeys(FAULT_KINDS, 0.01)
CHANGED_COLUMNS = {
    "missing_price": ["price"],
    "missing_area": ["square_meters"],
    "missing_location": ["district"],
    "negative_price": ["price"],
    "absurd_price": ["price"],
    "absurd_area": ["square_meters"],
    "area_in_square_feet": ["square_meters"],
    "price_in_thousands": ["price"],
    "broken_date": ["sale_date"],
    "future_year_built": ["year_built"],
    "outside_the_city": ["latitude", "longitude"],
    "duplicate": [],
}


@pytest.fixture(scope="module")
def faulty(register):
    return register(seed=4, faults=SHARES, non_market_sales={}).drop(columns="entry_no")


@pytest.fixture(scope="module")
def clean(register):
    return register(seed=4, faults={}, non_market_sales={}).drop(columns="entry_no").set_index("transaction_id")


@pytest.fixture(scope="module")
def breaks_the_contract(demo_source):
    """Whether a row, read as numbers, is out of the contract, by kind of fault."""
    ranges = demo_source.contract.ranges

    def outside(column, values: pd.Series) -> pd.Series:
        return ~pd.to_numeric(values).between(*ranges[column])

    def check(kind: str, rows: pd.DataFrame) -> pd.Series:
        if kind.startswith("missing"):
            return rows[CHANGED_COLUMNS[kind][0]] == ""
        if kind == "broken_date":
            return pd.to_datetime(rows["sale_date"], format="%Y-%m-%d", errors="coerce").isna()
        if kind == "outside_the_city":
            return outside("latitude", rows["latitude"]) | outside("longitude", rows["longitude"])
        if kind == "future_year_built":
            return outside("year_built", rows["year_built"])
        per_metre = pd.to_numeric(rows["price"]) / pd.to_numeric(rows["square_meters"])
        return outside("price_per_square_meter", per_metre)

    return check


def test_every_configured_kind_is_known(small):
    assert set(small().faults) == set(FAULT_KINDS) == set(CHANGED_COLUMNS)


def test_each_kind_of_fault_affects_its_share_of_the_rows(faulty):
    assert faulty["fault"].value_counts().to_dict() == dict.fromkeys(FAULT_KINDS, 15)
    assert len(faulty) == 1500 + 15


@pytest.mark.parametrize("kind", [kind for kind in FAULT_KINDS if kind != "duplicate"])
def test_a_fault_changes_only_its_column_and_breaks_the_contract(kind, faulty, clean, breaks_the_contract):
    spoiled = faulty[faulty["fault"] == kind].set_index("transaction_id")
    before = clean.loc[spoiled.index]
    changed = (spoiled.fillna("") != before.fillna("")).drop(columns="fault")
    assert changed[CHANGED_COLUMNS[kind]].any(axis=1).all()
    assert not changed.drop(columns=CHANGED_COLUMNS[kind]).any(axis=None)
    assert breaks_the_contract(kind, spoiled.reset_index()).all()


def test_areas_in_square_feet_and_prices_in_thousands_are_converted_exactly(faulty, clean):
    for kind, column, factor in (
        ("area_in_square_feet", "square_meters", 10.7639),
        ("price_in_thousands", "price", 0.001),
    ):
        spoiled = faulty[faulty["fault"] == kind].set_index("transaction_id")[column].astype(float)
        assert spoiled.to_numpy() == pytest.approx(clean.loc[spoiled.index, column].astype(float) * factor, rel=1e-3)


def test_a_duplicate_repeats_a_clean_row_further_down(faulty):
    content = [name for name in faulty.columns if name != "fault"]
    first, again = faulty.duplicated(content, keep="last"), faulty.duplicated(content, keep="first")
    assert (again == (faulty["fault"] == "duplicate")).all()
    assert faulty.loc[first, "fault"].isna().all()


def test_rows_without_a_fault_are_untouched_and_in_order(faulty, clean):
    kept = faulty[faulty["fault"].isna()].set_index("transaction_id")
    pd.testing.assert_frame_equal(kept, clean.loc[kept.index])
    assert kept.index.is_monotonic_increasing


def test_an_unknown_kind_of_fault_is_refused_with_the_known_ones(register):
    with pytest.raises(ValueError, match=r"simulate\.faults: gremlins is not a kind .* missing_price, .* duplicate"):
        register(faults={"gremlins": 0.1})


def test_more_faults_than_rows_are_refused(register):
    with pytest.raises(ValueError, match=r"simulate\.faults: the shares sum up to 1\.2"):
        register(faults={"missing_price": 0.6, "duplicate": 0.6})
