"""property_analytics, of one property for each scenario: all are computed by one Spark job."""

import datetime
import math

import pytest

from homei.curated.measures import listings_as_of
from homei.curated.properties import property_analytics

AS_OF = datetime.date(2021, 12, 31)
LEVELS = (8.0, 8.1, *[8.1] * 9, 8.3)  # of the index as January, February, …, December 2021 close


def day(year: int, month: int, number: int = 15) -> datetime.date:
    return datetime.date(year, month, number)


SALES = {
    "three sales, one not at market": [
        {"sale_date": day(2020, 3), "price": 150_000.0},
        {"sale_date": day(2021, 3), "price": 180_000.0},
        {"sale_date": day(2021, 9), "price": 1_000.0, "is_market": False},
    ],
    "a sale after as_of": [{"sale_date": day(2021, 12)}, {"sale_date": day(2022, 1), "price": 900_000.0}],
    "two sales on a day": [{"transaction_id": "b", "price": 300_000.0}, {"transaction_id": "a"}],
    "two years apart": [{"sale_date": day(2019, 12)}, {"sale_date": day(2021, 12), "price": 242_000.0}],
    "months apart": [{"sale_date": day(2021, 1)}, {"sale_date": day(2021, 12)}],
    "sold in February": [{"sale_date": day(2021, 2)}],
    "sold before the index": [{"sale_date": day(2020, 2)}],
}
LISTINGS = {
    "listed on two sites": [{"listing_id": "a"}, {"listing_id": "b", "duplicate_of": "a", "price": 1.0}],
    "listed three times": [
        {"listed_on": day(2020, 1, 1), "closed_on": day(2020, 1, 11)},
        {"listed_on": day(2021, 5, 1), "closed_on": day(2021, 5, 31)},
        {"listed_on": day(2021, 11, 1), "closed_on": day(2022, 1, 5)},
    ],
}
# The listing of a property that is sold in June 2021, and the discount to its asking price.
DISCOUNTS = {
    "sold below asking": ({"listed_on": day(2021, 2), "closed_on": day(2021, 5), "price": 250_000.0}, 0.2),
    "sold above asking": ({"listed_on": day(2021, 2), "price": 160_000.0}, -0.25),
    "listing ended long before the sale": ({"listed_on": day(2020, 2), "closed_on": day(2020, 5)}, None),
    "listed again by the buyer": ({"listed_on": day(2021, 8)}, None),
}


def of_property(scenarios: dict[str, list[dict]]) -> list[dict]:
    return [{"property_id": name} | row for name, rows in scenarios.items() for row in rows]


@pytest.fixture(scope="module")
def analytics(rows_of, index) -> dict[str, dict]:
    """The rows of property_analytics by scenario."""
    sold = SALES | {name: [{"sale_date": day(2021, 6)}] for name in DISCOUNTS}
    listed = LISTINGS | {name: [listing] for name, (listing, _) in DISCOUNTS.items()}
    names = {"nothing known": 1980.0, **dict.fromkeys([*sold, *listed])}
    properties = rows_of("properties", *({"property_id": name, "year_built": year} for name, year in names.items()))
    listings = listings_as_of(rows_of("listings", *of_property(listed)), properties, AS_OF)
    sales = rows_of("sales", *of_property(sold))
    rows = property_analytics(properties, sales, listings, index(*LEVELS), AS_OF).collect()
    return {row["property_id"]: row.asDict() for row in rows}


def test_there_is_one_row_for_each_property(analytics):
    assert len(analytics) == 1 + len(SALES) + len(LISTINGS) + len(DISCOUNTS)


def test_a_property_never_sold_nor_listed_has_its_attributes_and_no_prices(analytics):
    row = analytics["nothing known"]
    assert (row["year_built"], row["location"]) == (1980, "north")
    assert [row[name] for name in ("market_sales", "other_sales", "listings_seen")] == [0, 0, 0]
    assert row["is_listed"] is False
    assert {row[name] for name in ("last_sale_price", "last_price_today", "discount_to_asking")} == {None}


def test_prices_are_of_market_sales_and_other_sales_are_counted(analytics):
    row = analytics["three sales, one not at market"]
    assert (row["market_sales"], row["other_sales"]) == (2, 1)
    assert (row["first_sale_date"], row["first_sale_price"]) == (day(2020, 3), 150_000.0)
    assert (row["last_sale_date"], row["last_sale_price"]) == (day(2021, 3), 180_000.0)
    assert row["last_price_per_square_meter"] == 1800.0


def test_a_sale_after_as_of_is_ignored(analytics):
    row = analytics["a sale after as_of"]
    assert (row["market_sales"], row["last_sale_price"]) == (1, 200_000.0)


def test_of_two_sales_on_a_day_the_one_with_the_greater_id_is_the_later(analytics):
    row = analytics["two sales on a day"]
    assert (row["first_sale_price"], row["last_sale_price"]) == (200_000.0, 300_000.0)


def test_the_yearly_change_is_the_annual_rate_from_the_first_price_to_the_last(analytics):
    assert analytics["two years apart"]["yearly_change"] == pytest.approx(1.21 ** (365.25 / 731) - 1, abs=1e-6)


def test_sales_less_than_a_year_apart_have_no_yearly_change(analytics):
    assert analytics["months apart"]["yearly_change"] is None


def test_the_last_price_is_carried_by_the_citys_index_from_the_sales_month_to_as_of(analytics):
    assert analytics["sold in February"]["last_price_today"] == round(200_000 * math.exp(0.2), 2)


def test_a_price_from_before_the_index_is_not_carried(analytics):
    assert analytics["sold before the index"]["last_price_today"] is None


def test_a_listing_shown_on_two_sites_counts_once(analytics):
    row = analytics["listed on two sites"]
    assert (row["listings_seen"], row["last_asking_price"], row["is_listed"]) == (1, 210_000.0, True)


def test_days_on_market_are_of_the_listing_that_closed_last(analytics):
    row = analytics["listed three times"]
    assert (row["last_days_on_market"], row["listings_seen"]) == (30, 3)
    assert row["is_listed"] is True  # the last one closes after as_of


@pytest.mark.parametrize("scenario", DISCOUNTS)
def test_the_discount_is_to_the_asking_price_of_the_listing_that_led_to_the_sale(analytics, scenario):
    assert analytics[scenario]["discount_to_asking"] == DISCOUNTS[scenario][1]
