"""Listings of the portal and the rival: dates, prices, addresses and shared properties."""

import json

import numpy as np
import pandas as pd
import pytest

from homei.demo.addresses import register_spelling
from homei.storage import lake

METRES = 111_320


@pytest.fixture(scope="module")
def truth(world):
    return lake.read(world / "truth" / "listings.parquet")


@pytest.fixture(scope="module")
def listings(world, truth):
    """The portal's listings, flattened, with the home that is meant."""
    lines = (world / "portal" / "listings.jsonl").read_text().splitlines()
    records = pd.json_normalize([json.loads(line) for line in lines])
    days = {name: pd.to_datetime(records[name]) for name in ("listed_on", "closed_on")}
    meant = truth[truth["feed"] == "portal"].rename(columns={"listing_id": "id"})
    return records.assign(**days).merge(meant, on="id", validate="one_to_one")


@pytest.fixture(scope="module")
def rival(world, truth):
    lines = (world / "rival" / "homes.jsonl").read_text().splitlines()
    records = pd.DataFrame([json.loads(line) for line in lines])
    return records.merge(truth[truth["feed"] == "rival"], on="listing_id", validate="one_to_one")


@pytest.fixture(scope="module")
def properties(town):
    return town.properties.assign(register_spelling=register_spelling(town.properties)).set_index("property_id")


def test_records_are_nested_as_in_the_api(world):
    first = json.loads((world / "portal" / "listings.jsonl").read_text().splitlines()[0])
    assert list(first) == [
        "id", "url", "status", "listed_on", "closed_on", "updated_at", "price", "address", "position", "home",
    ]  # fmt: skip
    assert {name: list(first[name]) for name in ("price", "address", "position", "home")} == {
        "price": ["amount", "currency"],
        "address": ["line", "district"],
        "position": ["lat", "lon"],
        "home": ["type", "area_m2", "bedrooms", "bathrooms", "floor", "built"],
    }


def test_the_number_of_listings_follows_the_number_of_sales(listings, town):
    assert len(listings) == pytest.approx(0.24 * len(town.sales), rel=0.15)
    assert (listings["status"] == "open").mean() == pytest.approx(0.1, abs=0.04)
    assert listings["id"].is_unique
    assert listings["property_id"].isna().mean() == pytest.approx(0.02, abs=0.01)


def test_a_sold_property_was_listed_weeks_before_at_its_price_or_a_little_more(listings, town):
    sales = town.sales.assign(property_id=town.properties["property_id"].iloc[town.sales["property_row"]].to_numpy())
    sold = listings[(listings["status"] == "sold") & listings["property_id"].notna()]
    pairs = sold.merge(sales.dropna(subset="price"), on="property_id")
    pairs = pairs.assign(
        days=(pairs["sold_on"] - pairs["listed_on"]).dt.days, ratio=pairs["price.amount"] / pairs["price"]
    )
    meant = pairs[pairs["days"].between(15, 150) & pairs["ratio"].between(1, 1.082)]
    meant = meant[(meant["sold_on"] - meant["closed_on"]).dt.days.between(0, 10)]
    assert set(meant["id"]) == set(sold["id"])


def test_open_listings_have_no_end_and_others_end_after_their_start(listings):
    still = listings["status"] == "open"
    assert listings.loc[still, "closed_on"].isna().all()
    closed = listings[~still]
    assert (closed["closed_on"] > closed["listed_on"]).all()


def test_no_listing_has_a_date_after_as_of(listings):
    assert listings[["listed_on", "closed_on"]].max().max() <= pd.Timestamp("2025-12-31")
    assert listings["updated_at"].max() <= "2025-12-31T23:59:59Z"
    assert (listings["updated_at"].str[:10] >= listings["listed_on"].dt.strftime("%Y-%m-%d")).all()


def test_no_property_has_two_listings_at_a_time(listings):
    ordered = listings.sort_values(["address.district", "property_id", "listed_on"]).dropna(subset="property_id")
    before = ordered.groupby("property_id")["closed_on"].shift()
    again = ordered["property_id"].duplicated()
    assert (ordered.loc[again, "listed_on"] > before[again]).all()


def test_addresses_are_not_spelled_as_in_the_register(listings, properties):
    known = listings.dropna(subset="property_id")
    assert (
        known["address.line"].to_numpy() != properties.loc[known["property_id"], "register_spelling"].to_numpy()
    ).all()


def test_coordinates_are_a_few_metres_off_and_most_areas_are_rounded(listings, properties):
    known = listings.dropna(subset="property_id")
    meant = properties.loc[known["property_id"]]
    north = (known["position.lat"].to_numpy() - meant["latitude"].to_numpy()) * METRES
    parallel = METRES * np.cos(np.radians(meant["latitude"].to_numpy()))
    east = (known["position.lon"].to_numpy() - meant["longitude"].to_numpy()) * parallel
    assert np.hypot(north, east).max() < 25.2
    assert np.hypot(north, east).mean() > 10
    assert (known["home.area_m2"].to_numpy() - meant["square_meters"].to_numpy()).max() <= 0.5
    assert (known["home.area_m2"] % 1 == 0).mean() > 0.8


def test_some_attributes_are_missing(listings):
    for name in ("home.bedrooms", "home.bathrooms", "home.built"):
        assert 0.03 < listings[name].isna().mean() < 0.15


def test_most_properties_of_the_rival_are_on_the_portal_at_a_similar_price(rival, listings, town):
    assert len(rival) == round(len(town.sales) / 75)
    same = rival.dropna(subset="same_as").merge(listings, left_on="same_as", right_on="id", suffixes=("", "_portal"))
    assert len(same) == pytest.approx(0.6 * len(rival), abs=1)
    assert (same["price"] / same["price.amount"] - 1).abs().max() < 0.02
    registered = same["property_id"].notna()
    assert (same.loc[registered, "property_id"] == same.loc[registered, "property_id_portal"]).all()
    assert (same["address"] != same["address.line"]).mean() > 0.6
    assert not set(rival["listing_id"]) & set(listings["id"])


def test_the_rivals_other_properties_are_not_on_the_portal(rival, listings):
    own = rival[rival["same_as"].isna()]
    assert not own["property_id"].isin(listings["property_id"]).any()
