import datetime

import pytest

from homei.curated.features_view import property_features


def day(month: int, number: int = 15) -> datetime.date:
    return datetime.date(2021, month, number)


AS_OF = datetime.date(2021, 12, 31)
SALES = [
    {"transaction_id": "jan", "sale_date": day(1), "price": 100_000.0, "year_built": 1991.0},
    {"transaction_id": "jan_gift", "sale_date": day(1), "price": 1.0, "is_market": False},
    {"transaction_id": "feb1", "sale_date": day(2, 1), "price": 200_000.05},
    {"transaction_id": "feb28", "sale_date": day(2, 28), "price": 400_000.0},
    {"transaction_id": "may", "sale_date": day(5), "price": 300_000.0, "square_meters": 70.0},
    {"transaction_id": "south", "sale_date": day(5), "location": "south"},
    {"transaction_id": "nowhere", "sale_date": day(5), "location": None},
    {"transaction_id": "typeless", "sale_date": day(5), "property_type": None},
    {"transaction_id": "cheap", "sale_date": day(5), "price": 0.0},
    {"transaction_id": "tomorrow", "sale_date": datetime.date(2022, 1, 1)},
]


@pytest.fixture(scope="module")
def told(rows_of) -> dict:
    """The view by transaction id, whose averages look four months back."""
    rows = property_features(rows_of("sales", *SALES), AS_OF, average_months=4).collect()
    return {row["transaction_id"]: row.asDict() for row in rows}


def test_a_sale_without_price_place_or_type_or_after_the_as_of_date_is_left_out(told):
    assert sorted(told) == ["feb1", "feb28", "jan", "jan_gift", "may", "south"]


def test_the_age_is_of_the_year_of_the_sale(told):
    assert told["jan"]["age_at_sale"] == 30
    assert told["may"]["age_at_sale"] is None


def test_the_price_per_square_meter_is_the_reported_one(told):
    assert told["may"]["reported_price_per_square_meter"] == 4285.71


def test_the_locations_average_is_of_market_sales_before_the_sales_month(told):
    assert [told[name]["location_average_price"] for name in ("jan", "feb1", "feb28")] == [None, 100_000.0, 100_000.0]
    assert [told[name]["location_sales"] for name in ("jan", "feb1", "feb28")] == [0, 1, 1]
    assert (told["may"]["location_average_price"], told["may"]["location_sales"]) == (233_333.35, 3)
    assert told["south"]["location_sales"] == 0


def test_the_average_forgets_what_is_older_than_its_months(rows_of):
    rows = (
        property_features(rows_of("sales", *SALES), AS_OF, average_months=3).where("transaction_id = 'may'").collect()
    )
    assert (rows[0]["location_average_price"], rows[0]["location_sales"]) == (300_000.03, 2)


def test_scrambling_all_prices_from_a_month_on_leaves_earlier_months_unmoved(rows_of):
    scrambled = [
        sale | ({"price": 7_777.0 * (at + 1)} if sale["sale_date"] >= day(2, 1) else {})
        for at, sale in enumerate(SALES)
    ]
    before, after = (
        {row["transaction_id"]: row for row in property_features(rows_of("sales", *sales), AS_OF, 12).collect()}
        for sales in (SALES, scrambled)
    )
    known = ("location_average_price", "location_sales")
    assert [after[name] for name in ("jan", "jan_gift")] == [before[name] for name in ("jan", "jan_gift")]
    # The month itself: its prices are others now, what was known before it is the same.
    assert [[after[name][column] for column in known] for name in ("feb1", "feb28")] == [
        [before[name][column] for column in known] for name in ("feb1", "feb28")
    ]
    assert after["may"]["location_average_price"] != before["may"]["location_average_price"]
