"""Baselines use sales of the months before only."""

import numpy as np
import pandas as pd

from homei.training.baselines import linear, naive
from homei.training.time_splits import split_holdout

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


def test_the_naive_value_is_the_area_times_the_median_of_similar_sales():
    assert value("Hill", "flat") == 400_000


def test_the_naive_value_falls_back_to_the_type_and_then_the_city():
    assert value("Hill", "house") == 800_000
    assert value("Shore", "flat") == 350_000
    assert value("Shore", "castle") == 400_000


def test_without_earlier_sales_there_is_no_naive_value():
    assert np.isnan(value("Hill", "flat", month=MONTH - 7))


def test_prices_of_the_month_and_later_are_not_used():
    scrambled = SALES.assign(price=SALES["price"].where(SALES["month"] < MONTH, 1.0))
    test = SALES[SALES["month"] == MONTH]
    assert naive(scrambled, test) == naive(SALES, test)


def test_values_are_in_the_order_of_the_test_sales():
    test = pd.DataFrame([sale(MONTH, "Dale", "flat", 1.0), sale(MONTH + 1, "Dale", "house", 1.0), SALES.iloc[6]])
    assert naive(SALES, test).tolist() == [100_000, 400_000, 200_000]


def test_the_linear_value_of_a_property_with_an_area_does_not_suffer_from_sales_without_one(sections, recipe, ready):
    sales = ready()
    known, holdout = split_holdout(sales, sections.split)
    half = known.assign(square_meters=known["square_meters"].mask(np.arange(len(known)) % 2 == 0))

    def error(training, test):
        return np.median(np.abs(linear(recipe, training, test) / test["price"] - 1))

    assert error(half, holdout) < 1.1 * error(known, holdout)
    assert error(half, holdout.assign(square_meters=np.nan)) < 0.5


def test_the_linear_baseline_is_one_regression_where_all_areas_are_known(sections, recipe, ready):
    training, holdout = split_holdout(ready(), sections.split)
    assert linear(recipe, training, holdout).tolist() == recipe.linear().prices(training, holdout).tolist()
