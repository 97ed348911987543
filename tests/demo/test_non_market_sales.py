"""Planted sales that keep the contract and whose price is not a market price."""

import pandas as pd
import pytest

from homei.demo.non_market_sales import NON_MARKET_KINDS

SALES = 6000


@pytest.fixture(scope="module")
def rows(market_town):
    return market_town[1]


@pytest.fixture(scope="module")
def odd(rows):
    """The odd rows, with typed prices and days."""
    columns = rows[rows["non_market"].notna()]
    return columns.assign(
        price=columns["price"].astype(float),
        square_meters=columns["square_meters"].astype(float),
        day=pd.to_datetime(columns["sale_date"]),
        ratio=columns["price"].astype(float) / columns["true_price"],
    )


def of(odd, kind):
    return odd[odd["non_market"] == kind]


def family(names):
    return names.str.split(", ").str[0]


def test_every_configured_kind_is_known(small):
    assert set(small().non_market_sales) == set(NON_MARKET_KINDS)


def test_each_kind_has_its_share(odd, small):
    counts = odd["non_market"].value_counts()
    for kind, share in small().non_market_sales.items():
        # The last homes of bulk transfers may be too few for one.
        assert counts[kind] == pytest.approx(share * SALES, abs=4 if kind == "bulk_transfer" else 0.5), kind


def test_non_market_sales_have_no_fault_and_no_duplicate(rows, odd):
    assert odd["fault"].isna().all()
    assert not rows.loc[rows["transaction_id"].isin(odd["transaction_id"]), "transaction_id"].duplicated().any()


def test_all_prices_except_nominal_ones_meet_the_contract(odd, demo_source):
    believed = odd[odd["non_market"] != "nominal_price"]
    ranges = demo_source.contract.ranges
    per_metre = believed["price"] / believed["square_meters"]
    assert per_metre.between(*ranges["price_per_square_meter"]).all()
    assert believed["price"].between(*ranges["price"]).all()


def test_the_parties_of_a_family_transfer_share_a_name_and_its_price_is_low(odd):
    within = of(odd, "family_transfer")
    assert within["ratio"].between(0.349, 0.701).all()
    assert (family(within["seller"]) == family(within["buyer"])).all()
    assert (within["seller"] != within["buyer"]).all()
    assert within["buyer"].str.contains(", ").all()


def test_hardly_any_other_sale_is_between_people_of_one_name(rows):
    people = rows[rows["seller"].str.contains(", ") & rows["buyer"].str.contains(", ")]
    others = people[people["non_market"] != "family_transfer"]
    assert (family(others["seller"]) == family(others["buyer"])).mean() < 0.002


def test_a_bulk_transfer_is_of_one_district_day_seller_buyer_and_price_per_square_metre(odd):
    bulk = of(odd, "bulk_transfer")
    bulk = bulk.assign(per_metre=bulk["price"] / bulk["square_meters"])
    deals = bulk.groupby(["seller", "buyer", "sale_date", "district"])
    assert deals.size().between(4, 10).all()
    assert (deals["per_metre"].max() / deals["per_metre"].min()).max() < 1.001
    assert (deals["price"].sum() / deals["true_price"].sum()).between(0.449, 0.701).all()
    assert not bulk["seller"].str.contains(", ").any()
    assert not bulk["buyer"].str.contains(", ").any()
    assert not bulk["property_id"].duplicated().any()


def test_the_rows_of_a_bulk_transfer_follow_one_another(rows):
    bulk = rows[rows["non_market"] == "bulk_transfer"]
    entries = bulk["entry_no"].astype(int).groupby([bulk["seller"], bulk["buyer"], bulk["sale_date"]])
    # A duplicate or a resale may have got in between.
    assert (entries.max() - entries.min() < entries.size() + 3).all()


def test_a_quick_resale_follows_within_days_at_a_very_different_price(rows, odd):
    again = of(odd, "quick_resale")
    day = pd.to_datetime(rows["sale_date"], format="%Y-%m-%d", errors="coerce")
    typed = rows.assign(day=day, price=pd.to_numeric(rows["price"], errors="coerce"))
    pairs = again.merge(typed, on="property_id", suffixes=("", "_first"))
    pairs = pairs.assign(days=(pairs["day"] - pairs["day_first"]).dt.days).query("0 < days <= 20")
    # The sale that it follows is the last one before it.
    pairs = pairs.sort_values("days").drop_duplicates("transaction_id")
    assert sorted(pairs["transaction_id"]) == sorted(again["transaction_id"])
    assert pairs["days"].min() >= 3
    assert ((pairs["price"] / pairs["price_first"] - 1).abs()).between(0.349, 0.601).all()
    assert pairs["non_market_first"].isna().all()
    assert (pairs["seller"] == pairs["buyer_first"]).all()
    assert (pairs["transaction_id"] > "T006000").all()


def test_a_nominal_price_is_one(odd):
    assert (of(odd, "nominal_price")["price"] == 1).all()


def test_only_the_price_distinguishes_a_distressed_sale(odd):
    distressed = of(odd, "distressed")
    assert distressed["ratio"].between(0.499, 0.601).all()
    assert (family(distressed["seller"]) != family(distressed["buyer"])).mean() > 0.9


def test_market_sales_are_those_of_a_register_without_non_market_sales(register, small):
    calm = register(seed=4, non_market_sales={}).set_index("transaction_id")
    rows = register(seed=4).set_index("transaction_id")
    normal = rows[rows["non_market"].isna()]
    assert len(normal) < len(rows)
    columns = [name for name in rows.columns if name not in ("entry_no", "seller", "buyer")]
    expected = calm[~calm.index.isin(rows.index[rows["non_market"].notna()])]
    pd.testing.assert_frame_equal(normal[columns], expected[columns])


def test_the_register_stays_in_order_of_date(rows):
    own = rows[rows["fault"].isna() & ~rows["transaction_id"].duplicated(keep=False)]
    assert own["sale_date"].is_monotonic_increasing
    assert rows["entry_no"].tolist() == [str(number) for number in range(1, len(rows) + 1)]


def test_an_unknown_kind_is_refused_with_the_known_ones(register):
    with pytest.raises(ValueError, match=r"simulate\.non_market_sales: gift is not one of bulk_transfer, .*distressed"):
        register(non_market_sales={"gift": 0.1})
