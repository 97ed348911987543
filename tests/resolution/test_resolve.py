"""The stage `resolve` on the demo city, which has a true_rows truth, and on a source with sales only."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from homei.ingestion import ingest
from homei.resolution import resolve
from homei.storage import lake
from homei.validation import validate


@pytest.fixture
def truth(demo_lake, monkeypatch):
    """Reads a table of the demo city's truth."""
    monkeypatch.chdir(demo_lake)
    return lambda name: lake.read(Path("data/external/demo/world/truth") / f"{name}.parquet")


def test_non_market_sales_are_flagged_and_others_are_not(truth):
    deeds = truth("sales").query("fault.isna()").drop_duplicates("transaction_id")
    non_market = deeds.set_index("transaction_id")["non_market"]
    sales = lake.read(lake.RESOLVED_SALES).query("source_feed == 'register'").set_index("transaction_id")
    # Sales in quarantine are excluded from training too.
    market = sales["is_market"].reindex(non_market.index, fill_value=False)
    assert (~market[non_market.notna()]).mean() >= 0.9
    report = lake.read_json(resolve.REPORT)["truth"]["sale_validation"]
    assert report["recall"] == pytest.approx((~market[non_market.notna()]).mean(), abs=1e-6)
    assert non_market.notna().sum() > 100
    usual = sales["is_market"][non_market.reindex(sales.index).isna()]
    assert (~usual).mean() <= 0.01
    assert report["false_share"] == pytest.approx((~usual).mean(), abs=1e-6)


@pytest.mark.parametrize("feed", ["portal", "rival"])
def test_listings_are_matched_with_their_properties(truth, feed):
    true_rows = truth("listings").query("feed == @feed")
    ids = true_rows["listing_id"] if feed == "portal" else f"{feed}:" + true_rows["listing_id"]
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc[ids]
    registered = set(lake.read(lake.VALID["sales"])["property_id"].dropna())
    matched = listings["property_id"].where(listings["property_id"].isin(registered)).to_numpy()
    true = true_rows["property_id"].to_numpy()
    right = pd.notna(matched) & (matched == true)
    precision, recall = right.sum() / pd.notna(matched).sum(), right.sum() / pd.notna(true).sum()
    assert precision >= 0.99
    assert recall >= 0.95
    report = {item["feed"]: item for item in lake.read_json(resolve.REPORT)["truth"]["listings"]}[feed]
    assert report["precision"] == pytest.approx(precision, abs=1e-6)
    assert report["recall"] == pytest.approx(recall, abs=1e-6)


def test_duplicate_listings_are_found(truth):
    true_rows = truth("listings").query("feed == 'rival'")
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc["rival:" + true_rows["listing_id"]]
    same = true_rows["same_as"].to_numpy()
    duplicate_of = listings["duplicate_of"].to_numpy()
    assert np.mean(duplicate_of[pd.notna(duplicate_of)] == same[pd.notna(duplicate_of)]) >= 0.99
    assert np.mean(duplicate_of[pd.notna(same)] == same[pd.notna(same)]) >= 0.95


def test_unregistered_properties_get_an_id_from_their_listing(truth):
    true_rows = truth("listings").query("feed == 'portal' and property_id.isna()")
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc[true_rows["listing_id"]]
    assert listings["property_id"].str.startswith("portal:").mean() >= 0.99
    properties = lake.read(lake.RESOLVED_PROPERTIES)
    assert properties["property_id"].is_unique
    assert set(lake.read(lake.RESOLVED_LISTINGS)["property_id"].dropna()) <= set(properties["property_id"])


def test_sales_of_brokers_are_merged_with_the_register_or_kept(truth):
    true_rows = truth("brokers")
    true_rows = true_rows.set_index("brokers:" + true_rows["file_number"])["transaction_id"]
    sales = lake.read(lake.RESOLVED_SALES)
    kept = set(sales["transaction_id"])
    assert set(true_rows.index[true_rows.isna()]) <= kept
    registered = true_rows.dropna()
    registered = registered[registered.isin(kept)]
    assert len(set(registered.index) & kept) / len(registered) <= 0.05


def test_the_report_has_the_numbers_of_sales_and_reasons(truth):
    report = lake.read_json(resolve.REPORT)
    sales = lake.read(lake.RESOLVED_SALES)
    assert report["sales"] == len(sales)
    assert report["market_sales"] == sales["is_market"].sum()
    assert {item["reason"]: item["sales"] for item in report["reasons"]}["bulk_transfer"] > 0
    assert [item["feed"] for item in report["listings"]] == ["portal", "rival"]


@pytest.fixture
def property_ids(records_of, demo_city, settings):
    """Finds the property ids of listings of unsold properties, given as (address, feed)."""

    def find(*offers, kind="flat"):
        rows = [{"address": address, "source_feed": feed, "property_type": kind} for address, feed in offers]
        ids = [f"L{number}" for number in range(len(rows))]
        listings = records_of(*rows).assign(listing_id=ids, listed_on=pd.date_range("2024-01-01", periods=len(ids)))
        sales = records_of({"property_id": "P1", "address": "Flat 1, 1 Elm Road", "location": "West"})
        return resolve.identify_properties(sales, listings, demo_city, settings)[1]["property_id"].tolist()

    return find


def test_listings_of_one_unsold_property_share_an_id(property_ids):
    offers = ("Flat 3, 12 Linden Street", "portal"), ("LINDEN ST 12/3", "portal"), ("12 Linden St, #3", "rival")
    assert property_ids(*offers) == ["portal:L0"] * 3
    houses = ("12 Linden Street", "portal"), ("LINDEN ST 12", "portal")
    assert property_ids(*houses, kind="house") == ["portal:L0"] * 2


def test_flats_without_unit_number_do_not_share_an_id(property_ids):
    report = ("Flat 3, 12 Linden Street", "portal"), ("Flat 4, 12 Linden Street", "portal")
    assert property_ids(*report, *[("12 Linden Street", "portal")] * 2) == [f"portal:L{number}" for number in range(4)]


def test_houses_without_house_number_do_not_share_an_id(property_ids):
    assert property_ids(*[("Linden Street", "portal")] * 2, kind="house") == ["portal:L0", "portal:L1"]


def test_the_latest_attributes_are_those_of_the_latest_sale_in_any_order_of_rows(records_of):
    rows = [
        {"sale_date": date, "property_id": "P1", "bedrooms": bedrooms, "floor": floor}
        for date, bedrooms, floor in (("2022-03-01", 3, 2), ("2024-05-01", 4, None), ("2020-01-01", 2, 1))
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        (latest,) = resolve.properties_of(records_of(*(rows[number] for number in order)), resolve.SALE_ORDER).to_dict(
            "records"
        )
        assert (latest["property_id"], latest["bedrooms"], latest["floor"]) == ("P1", 4, 2)


def test_an_unsold_propertys_id_is_that_of_its_first_listing_in_any_order_of_rows(records_of, demo_city, settings):
    rows = [{"address": "12 Linden Street", "source_feed": "portal", "property_type": "house"}] * 2
    dates = pd.to_datetime(["2024-06-01", "2024-02-01"])
    listings = records_of(*rows).assign(listing_id=["late", "early"], listed_on=dates)
    for ordered in (listings, listings.iloc[::-1]):
        resolved = resolve.identify_properties(records_of({"address": None}), ordered, demo_city, settings)[1]
        assert set(resolved["property_id"]) == {"portal:early"}


def test_a_second_run_writes_the_same_bytes(truth, settings, demo_source, workspace, local_spark):
    tables = (lake.RESOLVED_SALES, lake.RESOLVED_LISTINGS, lake.RESOLVED_PROPERTIES)
    before = lake.digest(*tables, resolve.REPORT)
    resolve.run(demo_source.city, settings, workspace, local_spark)
    assert lake.digest(*tables, resolve.REPORT) == before


def test_a_source_with_sales_only_is_resolved(
    tmp_path, monkeypatch, town_source, town, settings, workspace, local_spark
):
    monkeypatch.chdir(tmp_path)
    extra = ["address", "seller", "buyer", "seller_family", "buyer_family"]
    sales = town.assign(**dict.fromkeys(extra), source_feed="main")
    lake.write(sales, lake.VALID["sales"])
    raw = ingest.records(town_source, "listings").to_pandas()
    lake.write(validate.validate_records(raw, town_source, "listings").valid, lake.VALID["listings"])
    resolve.run(town_source.city, settings, workspace, local_spark)
    resolved = lake.read(lake.RESOLVED_SALES)
    assert resolved["transaction_id"].tolist() == town["transaction_id"].tolist()
    assert lake.read(lake.RESOLVED_LISTINGS).empty
    assert set(lake.read(lake.RESOLVED_PROPERTIES)["property_id"]) == set(town["property_id"].dropna())
    assert lake.read_json(resolve.REPORT)["nominal_price"] == 1000
