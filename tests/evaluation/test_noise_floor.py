"""Noise floor from true prices and from twins, on simulated sales with known noise."""

import numpy as np
import pandas as pd
import pytest

from homei.evaluation.noise_floor import MIN_TWINS, noise_floor, read_true_prices, twin_values

SIGMA = 0.06
FLOOR = 0.6745 * SIGMA  # the median of |noise|


def twin_sales(properties=4_000, twins=2, sigma=SIGMA, month=24_300):
    random = np.random.default_rng(4)
    value = np.repeat(random.lognormal(12, 0.4, properties), twins)
    return pd.DataFrame(
        {
            "transaction_id": [f"T{number}" for number in range(len(value))],
            "property_id": np.repeat([f"P{number}" for number in range(properties)], twins),
            "month": month,
            "price": value * np.exp(random.normal(0, sigma, len(value))),
            "true_price": value,
            "fault": None,
            "non_market": None,
        }
    )


def test_true_prices_give_the_noise():
    sales = twin_sales()
    floor = noise_floor(sales, sales, truth=sales)
    assert floor["basis"] == "known noise"
    assert floor["mdape"] == pytest.approx(FLOOR, rel=0.03)


def test_sales_with_planted_faults_are_excluded():
    sales = twin_sales(properties=100)
    truth = sales.assign(fault=[None, "price_in_thousands"] * 100, non_market=["distressed"] * 20 + [None] * 180)
    again = pd.concat([truth, truth[-2:-1].assign(fault="duplicate")])
    assert noise_floor(sales, sales, again)["n"] == 90


@pytest.mark.parametrize("twins", [2, 3, 6])
def test_twins_estimate_the_noise_for_any_number_of_twins(twins):
    floor = noise_floor(twin_sales(twins=twins), twin_sales(twins=twins))
    assert (floor["basis"], floor["n"]) == ("twins", 4_000 * twins)
    assert floor["mdape"] == pytest.approx(FLOOR, rel=0.04)


def test_sales_of_other_quarters_or_unknown_properties_are_not_twins():
    sales = twin_sales(properties=3)
    sales["month"] = [24_300, 24_302, 24_302, 24_303, 24_300, 24_300]
    sales.loc[4:, "property_id"] = None
    assert list(twin_values(sales).index) == [0, 1]


def test_twins_of_equal_price_have_that_value():
    sales = twin_sales(properties=1).assign(price=250_000.0)
    assert twin_values(sales)["value"].tolist() == pytest.approx([250_000.0, 250_000.0])


def test_twins_before_the_hold_out_are_used_if_it_has_few():
    before, holdout = twin_sales(), twin_sales(properties=MIN_TWINS // 2 - 1)
    assert noise_floor(before, holdout)["n"] == len(before)


def test_too_few_twins_give_no_floor():
    floor = noise_floor(twin_sales(properties=10), twin_sales(properties=10))
    assert (floor["n"], floor["mdape"], floor["prb"], floor["basis"]) == (0, None, None, "twins")


def test_a_real_city_has_no_true_prices():
    class City:
        truth = None

    assert read_true_prices(City) is None
