"""The demo's market: who sells when, and for how much."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.demo.market import HIGHEST, LOWEST, bounded, month_levels
from homei.demo.simulate import city_facts
from homei.demo.synthetic_register import draw_city

SQUARE_FEET = 10.7639


def test_the_market_rises_by_a_fifth_in_small_steps():
    levels = month_levels(60)
    assert levels[-1] - levels[0] == pytest.approx(np.log(1.2), abs=0.04)
    assert np.abs(np.diff(levels)).max() < 0.02


@given(st.floats(-5, 5), st.floats(0.3, 1))
def test_a_bounded_value_stays_within_its_limit_and_hardly_changes_in_the_middle(value, limit):
    bent = bounded(np.array([value]), limit)[0]
    assert abs(bent) <= limit
    assert abs(value) > limit / 2 or abs(bent - value) <= 0.016 * abs(value)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    noise=st.floats(0.02, 0.1),
    change=st.floats(-0.25, 0.12),  # beyond, with so much noise, there is no room
    months=st.integers(24, 90),
    districts=st.integers(4, 60),
)
def test_clean_prices_lie_within_the_contract_by_a_factor_of_square_feet(
    small, demo_city, as_numbers, seed, noise, change, months, districts
):
    shift = {"districts": 2, "months": 6, "change": change}
    simulate = small(noise=noise, shift=shift, months=months, districts=districts)
    clean = as_numbers(draw_city(seed, simulate, demo_city)[1])
    assert (clean["price"] / clean["square_meters"]).between(LOWEST, HIGHEST).all()


def test_no_price_in_range_is_in_range_per_square_foot(demo_source):
    lowest, highest = demo_source.contract.ranges["price_per_square_meter"]
    assert lowest < LOWEST
    assert highest > HIGHEST
    assert lowest > HIGHEST / SQUARE_FEET


def test_every_clean_row_meets_the_contract(register, demo_source, as_numbers):
    clean = as_numbers(register(seed=5)).rename(columns={"district": "location"})
    for column, (lowest, highest) in demo_source.contract.ranges.items():
        if column in clean:
            assert clean[column].dropna().between(lowest, highest).all(), column
    required = clean[demo_source.contract.required]
    assert required.notna().all(axis=None)
    assert not (required == "").any(axis=None)
    assert pd.to_datetime(clean["sale_date"]).dt.date.max() <= demo_source.city.as_of


def test_the_noise_is_the_configured_one(register, as_numbers):
    clean = as_numbers(register(properties=3000, sales=12_000, noise=0.06))
    residual = np.log(clean["price"] / clean["true_price"])
    assert residual.std() == pytest.approx(0.06, rel=0.025)
    assert residual.mean() == pytest.approx(0, abs=0.002)


def test_no_property_sells_twice_a_month_or_before_its_completion(register, as_numbers):
    clean = as_numbers(register(seed=2))
    assert not clean.assign(month=clean["sale_date"].str[:7]).duplicated(["property_id", "month"]).any()
    sold = clean["sale_date"].str[:4].astype(int)
    assert (sold >= clean["year_built"]).all()
    assert (clean["year_built"] >= 2021).any()


def test_few_properties_make_many_of_the_sales(register, as_numbers):
    sales = as_numbers(register(seed=2)).groupby("property_id").size().sort_values(ascending=False)
    assert sales[: len(sales) // 10].sum() > 0.2 * sales.sum()
    assert sales.min() == 1


def test_the_shift_moves_the_chosen_districts_in_the_last_months_and_nothing_else(small, demo_city):
    shift = {"districts": 2, "months": 6, "change": -0.18}
    city, shifted = draw_city(3, small(faults={}, non_market_sales={}, shift=shift), demo_city)
    facts = city_facts(3, city)
    _, calm = draw_city(3, small(faults={}, non_market_sales={}, shift=shift | {"change": 0.0}), demo_city)
    change = np.log(shifted["true_price"] / calm["true_price"])
    hit = shifted["district"].isin(facts["shifted_districts"]) & (shifted["sale_date"] >= facts["shift_month"])
    assert facts["shift_month"] == "2025-07"
    assert len(facts["shifted_districts"]) == 2
    assert hit.any()
    assert change[hit].to_numpy() == pytest.approx(-0.18, abs=1e-6)
    assert (change[~hit] == 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sales": 50_000}, r"simulate\.sales: 50000 is too many for 500 properties in 60 months: at most 3750"),
        ({"noise": 0.4}, r"a noise of 0\.4 and a shift of -0\.18 leave clean prices no room"),
        (
            {"shift": {"districts": 30, "months": 6, "change": -0.1}},
            r"simulate\.shift\.districts: 30 is not between 0 and 20",
        ),
        ({"shift": {"districts": 2, "months": 60, "change": -0.1}}, r"simulate\.shift\.months: 60 is not between 0"),
    ],
)
def test_an_impossible_market_is_refused_with_its_key(register, changes, message):
    with pytest.raises(ValueError, match=message):
        register(**changes)
