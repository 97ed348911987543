import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.features.price_index import MICRO, market_index, month_effects

FIRST, LAST = 24_240, 24_276  # three years from January 2020


def cells(levels: dict, growth: float = 0.0, mix: int | None = None) -> pd.DataFrame:
    """Sales of strata with given logs of price that all grow alike; `mix` seeds how often each is sold."""
    random = np.random.default_rng(mix)
    rows = [
        (place, kind, month, n, round(n * MICRO * (level + growth * (month - FIRST))))
        for month in range(FIRST, LAST)
        for (place, kind), level in levels.items()
        if (n := int(random.integers(0, 30)) if mix is not None else 10)
    ]
    return pd.DataFrame(rows, columns=["location", "property_type", "month", "sales", "total"])


CITY = {("north", "flat"): 8.1, ("north", "house"): 7.6, ("south", "flat"): 7.2, ("south", "house"): 6.9}


@pytest.mark.parametrize("mix", range(5))
def test_a_shifting_mix_of_strata_does_not_move_the_index(mix):
    index = market_index(cells(CITY, mix=mix), LAST, 24)
    assert np.ptp(index["market_level"]) <= 2e-6


def test_sales_that_move_from_dear_to_cheap_strata_do_not_move_the_index():
    sales_cells = cells(CITY)
    share = (sales_cells["month"] - FIRST) / (LAST - FIRST)
    number = (1 + 40 * np.where(sales_cells["location"] == "south", share, 1 - share)).round()
    level = sales_cells["total"] / sales_cells["sales"]
    index = market_index(sales_cells.assign(sales=number, total=level * number), LAST, 12)
    assert np.ptp(index["market_level"]) <= 2e-6


@pytest.mark.parametrize("mix", [None, 1, 2])
def test_prices_that_grow_alike_give_the_index_that_slope(mix):
    index = market_index(cells(CITY, growth=0.004, mix=mix), LAST, 24)
    # Until three months are known their mean lags less than it does later.
    assert np.diff(index["market_level"])[3:] == pytest.approx(0.004, abs=3e-6)


def test_the_first_level_is_the_mean_log_of_the_sales():
    index = market_index(cells(CITY), LAST, 24)
    assert index["market_level"].iloc[0] == pytest.approx(np.mean(list(CITY.values())), abs=1e-6)


def test_a_stratum_that_appears_later_does_not_move_the_index():
    sales_cells = cells({**CITY, ("centre", "flat"): 9.5})
    late = sales_cells[(sales_cells["location"] != "centre") | (sales_cells["month"] >= FIRST + 12)]
    assert np.ptp(market_index(late, LAST, 24)["market_level"]) <= 2e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(1, LAST - FIRST - 1), st.integers(0, 1000))
def test_a_months_level_depends_on_earlier_sales_only(since, seed):
    sales_cells = cells(CITY, growth=0.01, mix=3)
    random = np.random.default_rng(seed)
    later = sales_cells["month"] >= FIRST + since
    scrambled = sales_cells.assign(
        total=np.where(
            later, sales_cells["sales"] * random.integers(1, 9 * MICRO, len(sales_cells)), sales_cells["total"]
        )
    )
    unaffected = slice(0, since)  # the index begins in the month after FIRST
    before, after = (market_index(frame, LAST, 24)["market_level"][unaffected] for frame in (sales_cells, scrambled))
    pd.testing.assert_series_equal(before, after)


def test_a_gap_in_the_sales_keeps_the_last_level():
    sales_cells = cells(CITY)
    gap = sales_cells[(sales_cells["month"] < FIRST + 6) | (sales_cells["month"] >= FIRST + 18)]
    index = market_index(gap, LAST, 9)
    assert len(index) == LAST - FIRST
    assert index["market_level"].notna().all()
    assert np.ptp(index["market_level"]) <= 2e-6


def test_the_index_runs_from_the_second_month_to_the_last_month():
    index = market_index(cells(CITY), LAST + 2, 24)
    assert index["month"].tolist() == list(range(FIRST + 1, LAST + 3))


def test_changes_are_unknown_where_the_index_does_not_reach_back():
    index = market_index(cells(CITY, growth=0.004), LAST, 24)
    assert index["market_change_12"].isna().sum() == 12
    assert index["market_change_3"].iloc[-1] == pytest.approx(0.012, abs=3e-6)


def test_no_sales_give_an_empty_index():
    assert market_index(cells(CITY).head(0), LAST, 24).empty


def test_month_effects_equal_those_of_a_dummy_regression():
    random = np.random.default_rng(0)
    sales = random.integers(1, 20, (3, 5)).astype(float)
    mean = random.normal(8, 1, (3, 5))
    design = np.hstack([np.repeat(np.eye(3), 5, axis=0), np.tile(np.eye(5), (3, 1))])
    root = np.sqrt(sales.ravel())
    expected = np.linalg.lstsq(design * root[:, None], mean.ravel() * root, rcond=None)[0][3:]
    effects = month_effects(sales, sales * mean)
    assert effects - effects.mean() == pytest.approx(expected - expected.mean())


def test_the_order_of_the_cells_does_not_matter():
    sales_cells = cells(CITY, growth=0.01, mix=7)
    pd.testing.assert_frame_equal(
        market_index(sales_cells, LAST, 24), market_index(sales_cells.sample(frac=1, random_state=0), LAST, 24)
    )
