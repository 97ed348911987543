"""The CRM: customers who ask, view, offer, and some who buy what the register then tells."""

import json

import pandas as pd
import pytest

AS_TEXT = {"dtype": str, "keep_default_na": False}


@pytest.fixture(scope="module")
def customers(world):
    return pd.read_csv(world / "crm" / "customers.csv", **AS_TEXT)


@pytest.fixture(scope="module")
def leads(world):
    return pd.read_csv(world / "crm" / "leads.csv", **AS_TEXT)


@pytest.fixture(scope="module")
def portal(world):
    lines = (world / "portal" / "listings.jsonl").read_text().splitlines()
    return pd.json_normalize([json.loads(line) for line in lines]).set_index("id")


def test_the_number_of_customers_follows_the_number_of_sales(customers, leads, town):
    assert len(customers) == pytest.approx(len(town.sales) / 12, abs=1)
    assert len(leads) == pytest.approx(0.42 * len(town.sales), rel=0.1)
    assert customers["customer_id"].is_unique
    assert customers["email"].is_unique
    assert leads["lead_id"].is_unique


def test_leads_refer_to_known_customers_and_listings(customers, leads, portal):
    assert leads["customer_id"].isin(customers["customer_id"]).all()
    assert leads["listing_id"].isin(portal.index).all()


def test_there_are_fewer_viewings_than_inquiries_fewer_offers_and_fewest_purchases(leads):
    counts = leads["activity"].value_counts()
    assert list(counts.index) == ["inquiry", "viewing", "offer", "purchase"]
    assert counts["purchase"] > 0.04 * len(leads)


def test_a_lead_happens_while_the_property_is_listed(leads, portal):
    about = portal.loc[leads["listing_id"]].reset_index()
    assert (leads["happened_on"] >= about["listed_on"]).all()
    asked = leads["activity"].isin(["inquiry"]) & ~leads["customer_id"].isin(
        leads.query("activity == 'purchase'")["customer_id"]
    )
    ends = about["closed_on"].fillna("2025-12-31")
    assert (leads["happened_on"] <= ends)[asked].all()


def test_a_purchase_is_a_sale_of_the_register_and_the_customer_its_buyer(customers, leads, town):
    bought = (
        leads[leads["activity"] == "purchase"].merge(customers, on="customer_id").merge(town.sales, on="transaction_id")
    )
    assert len(bought) == (leads["activity"] == "purchase").sum()
    family, given = bought["buyer"].str.split(", ").str[0], bought["buyer"].str.split(", ").str[1]
    assert (bought["name"] == given + " " + family).all()
    assert (bought["happened_on"] == bought["sold_on"].dt.strftime("%Y-%m-%d")).all()
    assert (leads.loc[leads["activity"] != "purchase", "transaction_id"] == "").all()


def test_an_inquiry_a_viewing_and_an_offer_precede_each_purchase(leads):
    buyers = leads[leads["activity"] == "purchase"][["customer_id", "listing_id"]]
    steps = (
        leads.merge(buyers)
        .groupby(["customer_id", "listing_id"])["activity"]
        .agg(lambda steps_taken: [*dict.fromkeys(steps_taken)])
    )
    assert (steps.map(lambda steps_taken: steps_taken == ["inquiry", "viewing", "offer", "purchase"])).all()


def test_budgets_lie_near_asking_prices(leads, portal):
    ratio = leads["budget"].astype(float).to_numpy() / portal.loc[leads["listing_id"], "price.amount"].to_numpy()
    assert 0.85 < ratio.min() < ratio.max() < 1.2


def test_customers_register_before_their_leads_and_nothing_is_after_as_of(customers, leads):
    first = leads.groupby("customer_id")["happened_on"].min()
    registered = customers.set_index("customer_id")["registered_on"]
    assert (registered[first.index] <= first).all()
    assert registered.is_monotonic_increasing
    assert max(customers["changed_at"].max(), leads["changed_at"].max()) <= "2025-12-31T23:59:59Z"
    assert (leads["changed_at"].str[:10] == leads["happened_on"]).all()


def test_no_email_or_phone_number_can_exist(customers):
    assert customers["email"].str.endswith("@example.org").all()
    assert customers["phone"].str.startswith("+999 ").all()
