"""The parties of the register: chains of owners, and when each sale was entered."""

import pandas as pd

from homei.demo.parties import COMPANIES, is_person


def test_the_seller_of_a_property_is_its_last_buyer(town):
    before = town.sales.groupby("property_row")["buyer"].shift()
    again = before.notna()
    assert again.mean() > 0.4
    assert (town.sales.loc[again, "seller"] == before[again]).all()


def test_most_parties_are_people_and_some_are_companies(town):
    people = town.sales["buyer"].map(is_person)
    assert 0.9 < people.mean() < 0.97
    assert town.sales.loc[~people, "buyer"].isin(COMPANIES).all()


def test_a_sale_is_registered_some_days_later_and_never_after_as_of(market_town):
    town, rows = market_town
    entered = rows.merge(town.sales[["transaction_id", "sold_on"]], on="transaction_id")
    changed = pd.to_datetime(entered["changed_at"])
    days = (changed.dt.tz_localize(None).dt.normalize() - entered["sold_on"]).dt.days
    assert days.between(0, 30).all()
    assert (days[entered["sold_on"] < "2025-12-01"] >= 1).all()
    assert changed.max() <= pd.Timestamp("2025-12-31T23:59:59Z")
    assert (entered["fault"] == "broken_date").any()


def test_a_duplicate_row_has_the_same_parties(market_town):
    _, rows = market_town
    repeated = rows[rows["transaction_id"].duplicated(keep=False)]
    assert (repeated.groupby("transaction_id")[["seller", "buyer", "changed_at", "address"]].nunique() == 1).all(
        axis=None
    )
