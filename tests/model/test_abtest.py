"""A difference that is there is found with enough sales, one that isn't is not, and nothing is decided too early."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from homei import params
from homei.assignment import CHALLENGER, CHAMPION, Design
from homei.model import abtest
from homei.model.abtest import judge, needed, sample_ratio, spread_of
from homei.model.ratio import mdape

OWN = yaml.safe_load(params.compose(["source=demo"]))
JUDGING = params.section("promote", OWN["promote"] | {"draws": 400})
HALF = Design("spring", "property", 0.5, "aaaa", "bbbb")


def experiment(**changes):
    return params.section("experiment", OWN["experiment"] | changes)


def sold(count, better=0.0, seed=0, design=HALF, each=1):
    """Sales of units that the design assigns; the champion's median error is 5 %, the challenger's less by `better`."""
    draw = np.random.default_rng(seed)
    unit = [f"{seed}-{number // each}" for number in range(count)]
    variant = np.array([design.variant(name) for name in unit])
    middle = np.where(variant == CHALLENGER, 0.05 - better, 0.05)
    # The median of |N(0, σ)| is 0.6745 σ.
    price = np.exp(draw.normal(12, 0.3, count))
    valued = price * (1 + draw.normal(0, 1, count) * middle / 0.6745)
    return pd.DataFrame({"unit": unit, "variant": variant, "price": price, "valued": valued,
                         "low": valued * 0.9, "high": valued * 1.1, "level": 0.9})  # fmt: skip


def judged(told, design=HALF, units=None, judging=JUDGING, **changes):
    given = told.groupby("variant")["unit"].nunique().to_dict() if units is None else units
    return judge(told, given, design, experiment(**{"sales": len(told), **changes}), judging, 1)


def test_a_challenger_that_is_a_point_better_is_found_with_enough_sales():
    found = judged(sold(4000, better=0.01))
    assert found["verdict"] == abtest.BETTER
    assert found["interval"][0] < -0.01 < found["interval"][1] < 0
    assert judged(sold(4000, better=-0.01))["verdict"] == abtest.WORSE


def test_equal_models_are_told_apart_no_more_often_than_the_confidence_says():
    quick = JUDGING.model_copy(update={"draws": 200})
    wrong = sum(judged(sold(300, seed=seed), judging=quick)["verdict"] != abtest.ALIKE for seed in range(200))
    assert wrong <= binom.ppf(0.999, 200, 0.05)


def test_whoever_looks_before_the_planned_sales_are_told_decides_nothing():
    found = judged(sold(1000, better=0.03), sales=1001)
    assert found["interval"][1] < 0
    assert found["verdict"] == abtest.TOO_EARLY


def test_sales_beyond_the_planned_ones_change_nothing():
    sales = sold(600, better=0.01)
    later = pd.concat([sales, sold(300, better=-0.04, seed=9)], ignore_index=True)
    counted = {**judged(sales), "beyond": 300}
    assert judged(later, units={CHAMPION: 300, CHALLENGER: 300}, sales=600) == {
        **counted, "sample_ratio": judged(sales, units={CHAMPION: 300, CHALLENGER: 300})["sample_ratio"]
    }  # fmt: skip


def test_as_many_sales_as_are_said_to_be_needed_find_the_difference_as_often_as_is_said():
    small = JUDGING.model_copy(update={"draws": 200})
    count = judged(sold(4000, better=0.01), difference=0.01)["needed"]
    found = sum(judged(sold(count, better=0.01, seed=seed), judging=small)["verdict"] == abtest.BETTER
                for seed in range(1, 101))  # fmt: skip
    assert 65 <= found <= 95


def test_what_the_needed_sales_can_show_is_what_they_were_needed_for():
    spread = spread_of(sold(1000)["valued"].to_numpy() / sold(1000)["price"].to_numpy() - 1, 0.2, 400, 1)
    assert abtest.detectable(spread, needed(spread, 0.004, 0.95), 0.95) == pytest.approx(0.004, rel=1e-3)
    assert needed(spread, 0.002, 0.95) == pytest.approx(4 * needed(spread, 0.004, 0.95), rel=1e-3)


def test_half_a_standard_deviation_takes_63_a_group():
    # 2 × (1.960 + 0.842)² ÷ 0.5² = 62.8: what tables for two equal groups have (by the normal distribution).
    assert needed(np.sqrt(0.10**2 / 0.5 + 0.10**2 / 0.5), 0.05, 0.95) == 126


def test_units_that_sell_together_are_no_more_evidence_than_one():
    one = sold(400)
    tenfold = pd.concat([one] * 10, ignore_index=True)
    width = np.ptp(judged(one)["interval"])
    assert np.ptp(judged(tenfold)["interval"]) == pytest.approx(width, rel=0.15)
    apart = tenfold.assign(unit=[str(number) for number in range(4000)])
    assert np.ptp(judged(apart)["interval"]) < width / 2


@settings(max_examples=25)
@given(st.lists(st.floats(1e3, 1e6), min_size=1, max_size=40), st.integers(0, 99))
def test_the_medians_of_resamples_are_those_that_numpy_takes_of_the_drawn_sales(valued, seed):
    part = pd.DataFrame({"unit": [number // 2 for number in range(len(valued))], "price": 1e5, "valued": valued})
    drawn = abtest._medians(part, 5, [seed])
    units = [part[part["unit"] == unit] for unit in part["unit"].unique()]
    rows = np.random.default_rng([seed]).integers(0, len(units), size=(5, len(units)), dtype=np.int32)
    for row, median in zip(rows, drawn, strict=True):
        resample = pd.concat([units[unit] for unit in row])
        assert median == pytest.approx(mdape(resample["valued"], resample["price"]))


def test_units_that_are_not_shared_as_planned_leave_nothing_to_decide():
    sales = sold(2000, better=0.02)
    assert judged(sales, units={CHAMPION: 5200, CHALLENGER: 4800})["verdict"] == abtest.MISMATCHED
    assert judged(sales, units={CHAMPION: 5050, CHALLENGER: 4950})["verdict"] == abtest.BETTER
    few_sold = sales[(sales["variant"] == CHAMPION) | (np.arange(2000) % 2 == 0)]
    assert judged(few_sold, units={CHAMPION: 5050, CHALLENGER: 4950})["verdict"] == abtest.MISMATCHED


def test_the_share_test_is_pearsons():
    # (60 − 50)² ÷ 50 + (40 − 50)² ÷ 50 = 4, of which chi-square with one degree has 0.0455 beyond.
    assert sample_ratio([60, 40], 0.5) == {"counts": [60, 40], "p": pytest.approx(0.0455, abs=1e-4), "ok": True}
    assert sample_ratio([80, 20], 0.2)["p"] == 1
    assert sample_ratio([30, 1], 0.1)["ok"] is None


@pytest.mark.parametrize("count", [0, 1, 15])
def test_few_sales_are_told_without_an_interval(count):
    found = judged(sold(count) if count else sold(1).head(0), sales=1000)
    assert (found["verdict"], found["interval"], found["needed"]) == (abtest.TOO_EARLY, None, None)
    assert sum(found["variants"][name]["n"] for name in (CHAMPION, CHALLENGER)) == count


def test_the_figures_are_those_of_each_variant():
    sales = sold(50)
    sales["low"], sales["high"] = sales["price"] * 0.99, sales["price"] * np.where(np.arange(50) % 5, 1.01, 0.995)
    champion = sales[sales["variant"] == CHAMPION]
    told = judged(sales)["variants"][CHAMPION]
    assert told["n"] == len(champion)
    assert told["mdape"] == mdape(champion["valued"], champion["price"])
    assert told["coverage"] == (champion["high"] > champion["price"]).mean()
