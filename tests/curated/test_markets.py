import datetime
import math

import pytest

from homei.curated.markets import market_analytics
from homei.curated.measures import listings_as_of

AS_OF = datetime.date(2021, 6, 30)
LEVELS = (7.0, 7.1, 7.1, 7.2, 7.2, 7.2)  # as January, …, June 2021 close


def day(month: int, number: int = 15) -> datetime.date:
    return datetime.date(2021, month, number)


def sold(month: int, u: float = 0.0, **others: object) -> dict:
    """A sale of 100 m² at u above the city's level in its month."""
    price = 100 * math.exp(LEVELS[month - 1] + u)
    return {"sale_date": day(month), "price": price} | others


SALES = [
    {"sale_date": day(1), "price": 100_000.0},
    {"sale_date": day(1), "price": 100_000.01, "square_meters": 50.0},
    {"sale_date": day(1), "price": 400_000.0},
    {"sale_date": day(1), "price": 9.0, "is_market": False},
    {"sale_date": day(4), "price": 500_000.0, "square_meters": None, "location": "hill"},
    {"sale_date": day(3), "price": 100_000.0},
    {"sale_date": datetime.date(2021, 7, 1), "price": 100_000.0},
    sold(1, 0.1, location="hill"),
    sold(4, 0.3, location="hill"),
]
LISTINGS = [
    {"listing_id": "a", "property_id": "h1", "listed_on": day(1), "closed_on": day(3)},
    {"listing_id": "b", "property_id": "h1", "listed_on": day(2), "duplicate_of": "a"},
    {"listing_id": "c", "listed_on": day(2), "closed_on": day(3, 1)},
    {"listing_id": "d", "listed_on": day(3), "closed_on": datetime.date(2021, 7, 1)},
    {"listing_id": "e", "property_id": "h2", "listed_on": day(3), "location": "Nörth"},
    {"listing_id": "f", "listed_on": datetime.date(2021, 7, 1)},
    {"listing_id": "g", "listed_on": day(5), "location": "new town"},
]
INDICATORS = [
    {"series": "rate", "month": "2021-01", "value": 1.0, "known_from": "2021-02"},
    {"series": "rate", "month": "2021-02", "value": 2.0, "known_from": "2021-03"},
    {"series": "population", "month": "2020-12", "value": 500.0, "known_from": "2021-04"},
]


@pytest.fixture(scope="module")
def rows(rows_of, index) -> dict:
    """The rows of market_analytics by location and month's number."""
    properties = rows_of("properties", {"property_id": "h1"}, {"property_id": "h2"})
    listings = listings_as_of(rows_of("listings", *LISTINGS), properties, AS_OF)
    sales, indicators = rows_of("sales", *SALES), rows_of("indicators", *INDICATORS)
    analytics = market_analytics(sales, listings, indicators, index(*LEVELS), AS_OF, history_months=5)
    return {(row["location"], row["month"].month): row.asDict() for row in analytics.collect()}


@pytest.fixture(scope="module")
def january(rows_of, index):
    """January in the north."""
    sales, none = rows_of("sales", *SALES), rows_of("listings")
    rows = market_analytics(sales, none, rows_of("indicators"), index(*LEVELS), AS_OF, history_months=600)
    return rows.where("location = 'north'").orderBy("month").first()


def test_there_is_a_row_for_each_location_in_each_of_the_last_months(rows):
    assert sorted(rows) == sorted((place, month) for place in ("north", "hill", "new town") for month in range(2, 7))


def test_a_month_without_sales_has_counts_of_zero_and_no_prices(rows):
    february = rows["north", 2]
    assert february["market_sales"] == 0
    names = ("average_price", "median_price", "average_price_per_square_meter")
    assert {february[name] for name in names} == {None}


def test_prices_are_of_market_sales_in_cents(january):
    assert january["month"] == day(1, 1)
    assert january["market_sales"] == 3
    assert (january["average_price"], january["median_price"]) == (200_000.0, 100_000.01)
    assert january["average_price_per_square_meter"] == 2333.33  # of 1000, 2000 and 4000


def test_a_sale_without_an_area_counts_but_has_no_price_per_square_metre(rows):
    april = rows["hill", 4]
    assert april["market_sales"] == 2
    assert april["average_price_per_square_meter"] == round(math.exp(LEVELS[3] + 0.3), 2)


def test_without_indicators_there_are_no_columns_of_them(january):
    assert january.__fields__[-1] == "median_days_on_market"


def test_the_inventory_holds_each_home_once_that_is_open_at_the_months_end(rows):
    assert [rows["north", month]["inventory"] for month in range(2, 7)] == [2, 2, 2, 2, 2]
    assert rows["new town", 4]["inventory"] == 0
    assert rows["new town", 5]["inventory"] == 1


def test_listings_count_in_the_months_in_which_they_begin_and_end(rows):
    assert [rows["north", month]["new_listings"] for month in range(2, 7)] == [1, 2, 0, 0, 0]
    assert [rows["north", month]["closed_listings"] for month in range(2, 7)] == [0, 2, 0, 0, 0]
    assert rows["north", 3]["median_days_on_market"] == (59 + 14) / 2
    assert rows["north", 4]["median_days_on_market"] is None


def test_months_of_supply_are_at_the_pace_of_the_last_three_months(rows):
    # 3 sales in January, one in March: 3 in two months, then 4 in three, one in three, none at all.
    assert [rows["north", month]["months_of_supply"] for month in (2, 3, 4, 6)] == [1.33, 1.5, 6.0, None]


def test_the_index_moves_with_the_city_and_with_the_locations_median_residual_to_it(rows):
    hill = [rows["hill", month]["price_index"] for month in range(2, 7)]
    # The residual is 0.1 until March and from April on the median of 0.1 and 0.3.
    assert hill == [100.0, 100.0, *[round(100 * math.exp(0.2), 2)] * 3]


def test_a_location_without_sales_has_no_index(rows):
    assert rows["new town", 6]["price_index"] is None


def test_an_indicator_is_the_latest_that_was_published_by_the_months_end(rows):
    assert [rows["hill", month]["indicator_rate"] for month in range(2, 7)] == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert [rows["hill", month]["indicator_population"] for month in range(2, 7)] == [None, None, 500.0, 500.0, 500.0]
