import datetime

import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.customers import customer_analytics, segment, with_quintile

AS_OF = datetime.date(2021, 12, 31)


def day(month: int, number: int = 15, year: int = 2021) -> datetime.date:
    return datetime.date(year, month, number)


def of(customer: str, *leads: dict) -> list[dict]:
    return [{"customer_id": customer} | lead for lead in leads]


LEADS = [
    *of("buyer", {"activity": "purchase", "transaction_id": "t1", "happened_on": day(3), "budget": 300_000.0}),
    *of("buyer", {"activity": "purchase", "transaction_id": "t1", "happened_on": day(4)}),
    *of("buyer", {"activity": "purchase", "transaction_id": "t2", "happened_on": day(5), "budget": 100_000.0}),
    *of("buyer", {"activity": "purchase", "transaction_id": "gone", "happened_on": day(6)}),
    *of("looker", *({"listing_id": name, "happened_on": day(7, at)} for at, name in enumerate("ssnn", start=1))),
    *of("looker", {"activity": "viewing", "listing_id": "n", "happened_on": day(8)}),
    *of("looker", {"listing_id": "s", "happened_on": day(8)}),
    *of("early", {"happened_on": day(1, year=2022)}),
    *of("stranger", {}),
    *of("one", {"happened_on": day(2)}),
    *of("two", {"happened_on": day(2)}),
    *of("three", {"happened_on": day(2)}),
]


@pytest.fixture(scope="module")
def told(rows_of) -> dict:
    """The customers by their ids."""
    ids = ["buyer", "looker", "early", "one", "two", "three"]
    person = {"name": "0aaa", "email": "0bbb", "phone": "0ccc", "location": "east"}
    listings = rows_of(
        "listings",
        {"listing_id": "n", "price": 100_000.0},
        {"listing_id": "s", "location": "south", "property_type": "house", "price": 200_000.0},
    )
    frame = customer_analytics(
        rows_of("customers", *({"customer_id": name} | person for name in ids)),
        rows_of("leads", *LEADS),
        listings,
        rows_of("sales", {"transaction_id": "t1", "price": 250_000.55}, {"transaction_id": "t2", "price": 150_000.0}),
        AS_OF,
        commission_rate=0.03,
    )
    return {row["customer_id"]: row.asDict() for row in frame.collect()}


def test_there_is_a_row_for_each_customer_and_for_no_stranger(told):
    assert sorted(told) == ["buyer", "early", "looker", "one", "three", "two"]


def test_no_hash_of_name_email_or_phone_is_carried_over(told):
    assert not {"0aaa", "0bbb", "0ccc"} & set(told["buyer"].values())
    assert told["buyer"]["wanted_location"] == "east"


def test_the_lifetime_value_is_the_commission_on_each_purchase_whose_price_is_known_once(told):
    buyer = told["buyer"]
    assert (buyer["purchases"], buyer["priced_purchases"]) == (4, 2)
    assert (buyer["purchase_value"], buyer["lifetime_value"]) == (400_000.55, 12_000.02)
    assert told["looker"]["lifetime_value"] == 0.0


def test_what_happens_after_the_day_is_not_known(told):
    early = told["early"]
    assert (early["leads"], early["last_activity_on"], early["segment"]) == (0, None, "silent")
    assert early["lifetime_value"] == 0.0


def test_the_last_activity_of_a_day_is_the_one_that_says_most(told):
    looker = told["looker"]
    assert (looker["last_activity"], looker["last_activity_on"]) == ("viewing", day(8))
    assert looker["days_since_activity"] == (AS_OF - day(8)).days
    assert (looker["leads"], looker["inquiries"], looker["viewings"]) == (6, 5, 1)


def test_preferences_are_what_was_asked_for_most_often(told):
    # North and south were asked for three times each, and last on one day: the greater name decides.
    assert (told["looker"]["most_asked_location"], told["looker"]["most_asked_type"]) == ("south", "house")
    assert told["looker"]["median_asking_price"] == 150_000.0
    assert told["one"]["most_asked_location"] is None


def test_the_median_budget_is_of_the_budgets_that_were_named(told):
    assert told["buyer"]["median_budget"] == 200_000.0
    assert told["looker"]["median_budget"] is None


def test_scores_are_fifths_and_ties_are_broken_by_the_next_measure_and_then_the_id(told):
    ids = ["one", "three", "two", "buyer", "looker"]  # the three are alike: their ids decide
    assert [told[name]["recency_score"] for name in ids] == [1, 2, 3, 4, 5]
    assert [told[name]["frequency_score"] for name in ids] == [1, 2, 3, 4, 5]
    assert (told["buyer"]["value_score"], told["looker"]["value_score"]) == (5, 4)
    assert told["early"]["recency_score"] is None


@pytest.fixture(scope="module")
def segments(spark) -> list[str]:
    """The segments of customers that differ in days registered, leads and their three scores."""
    cases = [
        (30, 0, None, None, None), (400, 0, None, None, None), (400, 9, 5, 5, 5), (400, 9, 5, 5, 1), (None, 9, 3, 4, 1),
        (400, 1, 4, 1, 1), (400, 2, 3, 2, 5), (400, 9, 2, 5, 1), (400, 2, 1, 1, 4), (400, 1, 2, 3, 3),
    ]  # fmt: skip
    names = "days_registered int, leads int, recency_score int, frequency_score int, value_score int"
    return [row["segment"] for row in spark.createDataFrame(cases, names).select(segment().alias("segment")).collect()]


def test_the_first_rule_that_holds_names_the_segment(segments):
    assert segments == [
        "new", "silent", "champion", "loyal", "loyal", "promising", "steady", "at risk", "at risk", "lost",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [3, 13])
def test_quintiles_are_those_of_ntile(spark, size):
    number = F.col("id")
    few = F.when(number % 3 > 0, number % 3)
    rows = spark.range(size).select(number.alias("customer_id"), few.alias("a"), (number % 2).alias("b"))
    by = ["a", "b", "customer_id"]
    expected = F.ntile(5).over(Window.orderBy(*(F.asc_nulls_first(name) for name in by)))
    for row in with_quintile(rows, "score", by).withColumn("expected", expected).collect():
        assert row["score"] == row["expected"]
