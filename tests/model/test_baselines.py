"""Baselines: what like homes fetched in the months before, never in the month itself."""

import numpy as np
import pandas as pd

from homei.model.baselines import naive

MONTH = 24_300


def sale(month, location, property_type, per_meter, square_meters=50.0):
    return {
        "month": month, "location": location, "property_type": property_type, "square_meters": square_meters,
        "price": per_meter * square_meters,
    }  # fmt: skip


SALES = pd.DataFrame(
    [
        sale(MONTH - 7, "Hill", "flat", 1.0),  # too long ago
        sale(MONTH - 6, "Hill", "flat", 3_000.0),
        sale(MONTH - 1, "Hill", "flat", 4_000.0),
        sale(MONTH - 1, "Hill", "flat", 5_000.0),
        sale(MONTH - 1, "Dale", "flat", 2_000.0),
        sale(MONTH - 2, "Dale", "house", 8_000.0),
        sale(MONTH, "Hill", "flat", 9_999.0),  # the month itself
        sale(MONTH + 1, "Hill", "flat", 9_999.0),
    ]
)


def value(location, property_type, month=MONTH):
    return naive(SALES, pd.DataFrame([sale(month, location, property_type, 1.0, 100.0)]))[0]


def test_a_home_is_worth_its_area_times_what_like_homes_fetched():
    assert value("Hill", "flat") == 400_000


def test_without_sales_of_the_type_in_the_location_the_type_decides_and_then_the_city():
    assert value("Hill", "house") == 800_000
    assert value("Shore", "flat") == 350_000
    assert value("Shore", "castle") == 400_000


def test_where_nothing_was_sold_before_nothing_is_known():
    assert np.isnan(value("Hill", "flat", month=MONTH - 7))


def test_prices_of_the_month_and_after_do_not_matter():
    scrambled = SALES.assign(price=SALES["price"].where(SALES["month"] < MONTH, 1.0))
    asked = SALES[SALES["month"] == MONTH]
    assert naive(scrambled, asked) == naive(SALES, asked)


def test_values_come_in_the_order_asked_for():
    asked = pd.DataFrame([sale(MONTH, "Dale", "flat", 1.0), sale(MONTH + 1, "Dale", "house", 1.0), SALES.iloc[6]])
    assert naive(SALES, asked).tolist() == [100_000, 400_000, 200_000]
