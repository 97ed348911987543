import datetime
import math

import pytest

from homei.curated.measures import known_listings
from homei.curated.properties import property_analytics

AS_OF = datetime.date(2021, 12, 31)


def day(year: int, month: int, number: int = 15) -> datetime.date:
    return datetime.date(year, month, number)


@pytest.fixture(scope="module")
def told(rows_of, index):
    """The rows of property_analytics by property, of sales and listings of the homes h1 and h2."""

    def tell(sales: list[dict] = (), listings: list[dict] = (), levels: tuple = ()) -> dict:
        properties = rows_of("properties", {"property_id": "h1", "year_built": 1980.0}, {"property_id": "h2"})
        offers = rows_of("listings", *({"property_id": "h1"} | row for row in listings))
        deeds = rows_of("sales", *({"property_id": "h1"} | row for row in sales))
        known = known_listings(offers, properties, AS_OF)
        rows = property_analytics(properties, deeds, known, index(*levels), AS_OF).collect()
        return {row["property_id"]: row.asDict() for row in rows}

    return tell


def test_a_property_that_was_never_sold_nor_offered_is_told_with_what_it_is(told):
    homes = told()
    assert homes["h1"]["year_built"] == 1980
    assert homes["h2"]["location"] == "north"
    assert [homes["h2"][name] for name in ("market_sales", "other_sales", "listings_seen")] == [0, 0, 0]
    assert homes["h2"]["is_listed"] is False
    assert {homes["h2"][name] for name in ("last_sale_price", "last_price_today", "discount_to_asking")} == {None}


def test_only_market_sales_have_a_price_and_the_others_are_counted(told):
    home = told(
        [
            {"sale_date": day(2020, 3), "price": 150_000.0},
            {"sale_date": day(2021, 3), "price": 180_000.0},
            {"sale_date": day(2021, 9), "price": 1_000.0, "is_market": False},
        ]
    )["h1"]
    assert (home["market_sales"], home["other_sales"]) == (2, 1)
    assert (home["first_sale_date"], home["first_sale_price"]) == (day(2020, 3), 150_000.0)
    assert (home["last_sale_date"], home["last_sale_price"]) == (day(2021, 3), 180_000.0)
    assert home["last_price_per_square_meter"] == 1800.0


def test_what_is_sold_after_the_day_is_not_known(told):
    home = told([{"sale_date": day(2021, 12)}, {"sale_date": day(2022, 1), "price": 900_000.0}])["h1"]
    assert (home["market_sales"], home["last_sale_price"]) == (1, 200_000.0)


def test_of_two_sales_on_a_day_the_greater_id_is_the_later(told):
    home = told([{"transaction_id": "b", "price": 300_000.0}, {"transaction_id": "a"}])["h1"]
    assert (home["first_sale_price"], home["last_sale_price"]) == (200_000.0, 300_000.0)


def test_the_yearly_change_is_the_rate_that_leads_from_the_first_price_to_the_last(told):
    sales = [{"sale_date": day(2019, 12)}, {"sale_date": day(2021, 12), "price": 242_000.0}]
    rate = told(sales)["h1"]["yearly_change"]
    assert rate == pytest.approx(1.21 ** (365.25 / 731) - 1, abs=1e-6)


def test_sales_less_than_a_year_apart_tell_no_yearly_change(told):
    assert told([{"sale_date": day(2021, 1)}, {"sale_date": day(2021, 12)}])["h1"]["yearly_change"] is None


def test_the_last_price_is_carried_by_the_citys_index_from_the_sales_month_to_the_day(told):
    levels = (8.0, 8.1, *[8.1] * 9, 8.3)  # as January, February, …, December 2021 close
    home = told([{"sale_date": day(2021, 2)}], levels=levels)["h1"]
    assert home["last_price_today"] == round(200_000 * math.exp(0.2), 2)


def test_a_price_from_before_the_index_is_not_carried(told):
    home = told([{"sale_date": day(2020, 2)}], levels=(8.0,) * 12)["h1"]
    assert home["last_price_today"] is None


def test_a_listing_shown_again_elsewhere_counts_once(told):
    home = told([], [{"listing_id": "a"}, {"listing_id": "b", "duplicate_of": "a", "price": 1.0}])["h1"]
    assert (home["listings_seen"], home["last_asking_price"], home["is_listed"]) == (1, 210_000.0, True)


def test_days_on_market_are_of_the_listing_that_closed_last(told):
    home = told(
        [],
        [
            {"listed_on": day(2020, 1, 1), "closed_on": day(2020, 1, 11)},
            {"listed_on": day(2021, 5, 1), "closed_on": day(2021, 5, 31)},
            {"listed_on": day(2021, 11, 1), "closed_on": day(2022, 1, 5)},
        ],
    )["h1"]
    assert (home["last_days_on_market"], home["listings_seen"]) == (30, 3)
    assert home["is_listed"] is True  # the last one closes after the day


@pytest.mark.parametrize(
    ("listing", "discount"),
    [
        ({"listed_on": day(2021, 2), "closed_on": day(2021, 5), "price": 250_000.0}, 0.2),
        ({"listed_on": day(2021, 2), "price": 160_000.0}, -0.25),  # sold above what was asked
        ({"listed_on": day(2020, 2), "closed_on": day(2020, 5)}, None),  # ended long before the sale
        ({"listed_on": day(2021, 8)}, None),  # the buyer offers it again
    ],
)
def test_the_discount_is_to_what_was_asked_in_the_listing_that_led_to_the_sale(told, listing, discount):
    assert told([{"sale_date": day(2021, 6)}], [listing])["h1"]["discount_to_asking"] == discount
