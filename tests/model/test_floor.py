"""The noise floor from a known truth and from twins, on sales whose noise is known."""

import numpy as np
import pandas as pd
import pytest

from homei.model.floor import FEWEST_TWINS, noise_floor, truth_of, twin_values

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
            "oddity": None,
        }
    )


def test_a_known_truth_gives_the_noise_itself():
    sales = twin_sales()
    floor = noise_floor(sales, sales, truth=sales)
    assert floor["basis"] == "known noise"
    assert floor["mdape"] == pytest.approx(FLOOR, rel=0.03)


def test_sales_spoilt_on_purpose_are_not_part_of_the_floor():
    sales = twin_sales(properties=100)
    truth = sales.assign(fault=[None, "price_in_thousands"] * 100, oddity=["distressed"] * 20 + [None] * 180)
    again = pd.concat([truth, truth[-2:-1].assign(fault="duplicate")])
    assert noise_floor(sales, sales, again)["n"] == 90


@pytest.mark.parametrize("twins", [2, 3, 6])
def test_twins_tell_the_noise_whatever_their_number(twins):
    floor = noise_floor(twin_sales(twins=twins), twin_sales(twins=twins))
    assert (floor["basis"], floor["n"]) == ("twins", 4_000 * twins)
    assert floor["mdape"] == pytest.approx(FLOOR, rel=0.04)


def test_sales_of_another_quarter_or_of_an_unknown_property_are_no_twins():
    sales = twin_sales(properties=3)
    sales["month"] = [24_300, 24_302, 24_302, 24_303, 24_300, 24_300]
    sales.loc[4:, "property_id"] = None
    assert list(twin_values(sales).index) == [0, 1]


def test_two_equal_prices_are_worth_themselves():
    sales = twin_sales(properties=1).assign(price=250_000.0)
    assert twin_values(sales)["value"].tolist() == pytest.approx([250_000.0, 250_000.0])


def test_few_twins_in_the_hold_out_are_helped_by_those_before():
    before, held = twin_sales(), twin_sales(properties=FEWEST_TWINS // 2 - 1)
    assert noise_floor(before, held)["n"] == len(before)


def test_too_few_twins_leave_the_floor_unknown():
    floor = noise_floor(twin_sales(properties=10), twin_sales(properties=10))
    assert (floor["n"], floor["mdape"], floor["prb"], floor["basis"]) == (0, None, None, "twins")


def test_a_city_without_a_truth_has_none():
    class City:
        truth = None

    assert truth_of(City) is None
