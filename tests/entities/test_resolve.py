"""The stage `resolve` on the demo city, whose truth is known, and on sources that have only sales."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from homei import lake, params
from homei.entities import resolve
from homei.quality import validate
from homei.sources import ingest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def truth(demo_lake, monkeypatch):
    """Reads a table of the city's truth, in whose folder the test runs."""
    monkeypatch.chdir(demo_lake)
    return lambda name: lake.read(Path("data/external/demo/world/truth") / f"{name}.parquet")


def test_odd_sales_are_flagged_and_usual_ones_are_not(truth):
    known = truth("sales").query("fault.isna()").drop_duplicates("transaction_id").set_index("transaction_id")["oddity"]
    sales = lake.read(lake.RESOLVED_SALES).query("source_feed == 'register'").set_index("transaction_id")
    # What the contract sets aside goes no further either.
    market = sales["is_market"].reindex(known.index, fill_value=False)
    assert (~market[known.notna()]).mean() >= 0.9
    told = lake.read_json(resolve.REPORT)["truth"]["sale_validation"]
    assert told["recall"] == pytest.approx((~market[known.notna()]).mean(), abs=1e-6)
    assert known.notna().sum() > 100
    usual = sales["is_market"][known.reindex(sales.index).isna()]
    assert (~usual).mean() <= 0.01
    assert told["false_share"] == pytest.approx((~usual).mean(), abs=1e-6)


@pytest.mark.parametrize("feed", ["portal", "rival"])
def test_listings_meet_their_properties(truth, feed):
    known = truth("listings").query("feed == @feed")
    ids = known["listing_id"] if feed == "portal" else f"{feed}:" + known["listing_id"]
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc[ids]
    registered = set(lake.read(lake.VALID_SALES)["property_id"].dropna())
    said = listings["property_id"].where(listings["property_id"].isin(registered)).to_numpy()
    true = known["property_id"].to_numpy()
    right = pd.notna(said) & (said == true)
    precision, recall = right.sum() / pd.notna(said).sum(), right.sum() / pd.notna(true).sum()
    assert precision >= 0.99
    assert recall >= 0.95
    told = {item["feed"]: item for item in lake.read_json(resolve.REPORT)["truth"]["listings"]}[feed]
    assert told["precision"] == pytest.approx(precision, abs=1e-6)
    assert told["recall"] == pytest.approx(recall, abs=1e-6)


def test_listings_of_one_offer_are_told(truth):
    known = truth("listings").query("feed == 'rival'")
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc["rival:" + known["listing_id"]]
    same = known["same_as"].to_numpy()
    found = listings["duplicate_of"].to_numpy()
    assert np.mean(found[pd.notna(found)] == same[pd.notna(found)]) >= 0.99
    assert np.mean(found[pd.notna(same)] == same[pd.notna(same)]) >= 0.95


def test_homes_that_are_in_no_register_get_an_identity_of_their_own(truth):
    known = truth("listings").query("feed == 'portal' and property_id.isna()")
    listings = lake.read(lake.RESOLVED_LISTINGS).set_index("listing_id").loc[known["listing_id"]]
    assert listings["property_id"].str.startswith("portal:").mean() >= 0.99
    properties = lake.read(lake.RESOLVED_PROPERTIES)
    assert properties["property_id"].is_unique
    assert set(lake.read(lake.RESOLVED_LISTINGS)["property_id"].dropna()) <= set(properties["property_id"])


def test_brokers_sales_are_merged_with_the_register_or_kept(truth):
    known = truth("brokers")
    known = known.set_index("brokers:" + known["file_number"])["transaction_id"]
    sales = lake.read(lake.RESOLVED_SALES)
    kept = set(sales["transaction_id"])
    assert set(known.index[known.isna()]) <= kept
    registered = known.dropna()
    registered = registered[registered.isin(kept)]
    assert len(set(registered.index) & kept) / len(registered) <= 0.05


def test_the_report_counts_what_was_done(truth):
    told = lake.read_json(resolve.REPORT)
    sales = lake.read(lake.RESOLVED_SALES)
    assert told["sales"] == len(sales)
    assert told["market_sales"] == sales["is_market"].sum()
    assert {item["reason"]: item["sales"] for item in told["reasons"]}["bulk_transfer"] > 0
    assert [item["feed"] for item in told["listings"]] == ["portal", "rival"]


@pytest.fixture
def identities(records_of, demo_source, settings):
    """The properties that listings of homes which never sold get, each listing told by its address and feed."""

    def find(*offers, kind="flat"):
        rows = [{"address": address, "source_feed": feed, "property_type": kind} for address, feed in offers]
        ids = [f"L{number}" for number in range(len(rows))]
        listings = records_of(*rows).assign(listing_id=ids)
        sales = records_of({"property_id": "P1", "address": "Flat 1, 1 Elm Road", "location": "West"})
        return resolve.identified(sales, listings, demo_source, settings)[1]["property_id"].tolist()

    return find


def test_listings_of_a_home_that_never_sold_share_an_identity(identities):
    offers = ("Flat 3, 12 Linden Street", "portal"), ("LINDEN ST 12/3", "portal"), ("12 Linden St, #3", "rival")
    assert identities(*offers) == ["portal:L0"] * 3
    houses = ("12 Linden Street", "portal"), ("LINDEN ST 12", "portal")
    assert identities(*houses, kind="house") == ["portal:L0"] * 2


def test_flats_of_a_house_whose_numbers_are_not_told_are_not_taken_for_one(identities):
    told = ("Flat 3, 12 Linden Street", "portal"), ("Flat 4, 12 Linden Street", "portal")
    assert identities(*told, *[("12 Linden Street", "portal")] * 2) == [f"portal:L{number}" for number in range(4)]


def test_homes_of_a_street_whose_numbers_are_not_told_are_not_taken_for_one(identities):
    assert identities(*[("Linden Street", "portal")] * 2, kind="house") == ["portal:L0", "portal:L1"]


def test_a_second_run_leaves_the_same_bytes(truth, settings):
    source = params.section("source", yaml.safe_load((PROJECT / "params/source/demo.yaml").read_text()))
    tables = (lake.RESOLVED_SALES, lake.RESOLVED_LISTINGS, lake.RESOLVED_PROPERTIES)
    before = lake.digest(*tables, resolve.REPORT)
    resolve.run(source, settings)
    assert lake.digest(*tables, resolve.REPORT) == before


def test_a_source_with_nothing_but_sales_is_resolved(tmp_path, monkeypatch, source, town, settings):
    monkeypatch.chdir(tmp_path)
    extra = ["address", "seller", "buyer", "seller_family", "buyer_family"]
    sales = town.assign(**dict.fromkeys(extra), source_feed="main")
    lake.write(sales, lake.VALID_SALES)
    lake.write(
        validate.judge(ingest.records(source, "listings").to_pandas(), source, "listings").valid, lake.VALID_LISTINGS
    )
    resolve.run(source, settings)
    found = lake.read(lake.RESOLVED_SALES)
    assert found["transaction_id"].tolist() == town["transaction_id"].tolist()
    assert lake.read(lake.RESOLVED_LISTINGS).empty
    assert set(lake.read(lake.RESOLVED_PROPERTIES)["property_id"]) == set(town["property_id"].dropna())
