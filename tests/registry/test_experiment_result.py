"""Differences are detected with enough sales, absent ones are not, and no verdict comes too early."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from homei.config import params
from homei.evaluation.ratio_study import mdape
from homei.registry import experiment_result
from homei.registry.experiment_result import evaluate_experiment, needed_sales, planned_spread, sample_ratio
from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign

OWN = yaml.safe_load(params.compose(["city=demo"]))
JUDGING = params.section("promote", OWN["promote"] | {"draws": 400})
HALF = ExperimentDesign("spring", "property", 0.5, "aaaa", "bbbb")


def experiment(**changes):
    return params.section("experiment", OWN["experiment"] | changes)


def simulated_sales(count, better=0.0, seed=0, design=HALF, sales_per_unit=1):
    """Sales of assigned units; the champion's median error is 5 %, the challenger's less by `better`."""
    draw = np.random.default_rng(seed)
    unit = [f"{seed}-{number // sales_per_unit}" for number in range(count)]
    variant = np.array([design.variant(name) for name in unit])
    middle = np.where(variant == CHALLENGER, 0.05 - better, 0.05)
    # The median of |N(0, σ)| is 0.6745 σ.
    price = np.exp(draw.normal(12, 0.3, count))
    valued = price * (1 + draw.normal(0, 1, count) * middle / 0.6745)
    return pd.DataFrame({"unit": unit, "variant": variant, "price": price, "valued": valued,
                         "low": valued * 0.9, "high": valued * 1.1, "level": 0.9})  # fmt: skip


def result_of(reported, design=HALF, units=None, judging=JUDGING, **changes):
    counts = reported.groupby("variant")["unit"].nunique().to_dict() if units is None else units
    return evaluate_experiment(reported, counts, design, experiment(**{"sales": len(reported), **changes}), judging, 1)


def test_a_challenger_one_point_better_is_detected_with_enough_sales():
    result = result_of(simulated_sales(4000, better=0.01))
    assert result["verdict"] == experiment_result.BETTER
    assert result["interval"][0] < -0.01 < result["interval"][1] < 0
    assert result_of(simulated_sales(4000, better=-0.01))["verdict"] == experiment_result.WORSE


def test_false_positives_are_as_rare_as_the_confidence_says():
    quick = JUDGING.model_copy(update={"draws": 200})
    wrong = sum(
        result_of(simulated_sales(300, seed=seed), judging=quick)["verdict"] != experiment_result.ALIKE
        for seed in range(200)
    )
    assert wrong <= binom.ppf(0.999, 200, 0.05)


def test_there_is_no_verdict_before_the_planned_sales():
    result = result_of(simulated_sales(1000, better=0.03), sales=1001)
    assert result["interval"][1] < 0
    assert result["verdict"] == experiment_result.TOO_EARLY


def test_sales_beyond_the_planned_ones_are_not_counted():
    sales = simulated_sales(600, better=0.01)
    later = pd.concat([sales, simulated_sales(300, better=-0.04, seed=9)], ignore_index=True)
    counted = {**result_of(sales), "ignored_sales": 300}
    assert result_of(later, units={CHAMPION: 300, CHALLENGER: 300}, sales=600) == {
        **counted, "sample_ratio": result_of(sales, units={CHAMPION: 300, CHALLENGER: 300})["sample_ratio"]
    }  # fmt: skip


def test_the_needed_sales_detect_the_difference_with_the_stated_power():
    small = JUDGING.model_copy(update={"draws": 200})
    count = result_of(simulated_sales(4000, better=0.01), difference=0.01)["needed_sales"]
    results = [result_of(simulated_sales(count, better=0.01, seed=seed), judging=small) for seed in range(1, 101)]
    assert 65 <= sum(result["verdict"] == experiment_result.BETTER for result in results) <= 95


def test_detectable_difference_is_the_inverse_of_needed_sales():
    spread = planned_spread(
        simulated_sales(1000)["valued"].to_numpy() / simulated_sales(1000)["price"].to_numpy() - 1, 0.2, 400, 1
    )
    assert experiment_result.detectable_difference(spread, needed_sales(spread, 0.004, 0.95), 0.95) == pytest.approx(
        0.004, rel=1e-3
    )
    assert needed_sales(spread, 0.002, 0.95) == pytest.approx(4 * needed_sales(spread, 0.004, 0.95), rel=1e-3)


def test_half_a_standard_deviation_needs_63_sales_per_group():
    # 2 × (1.960 + 0.842)² ÷ 0.5² = 62.8: as in published tables for two equal groups.
    assert needed_sales(np.sqrt(0.10**2 / 0.5 + 0.10**2 / 0.5), 0.05, 0.95) == 126


def test_repeated_sales_of_a_unit_add_no_evidence():
    one = simulated_sales(400)
    tenfold = pd.concat([one] * 10, ignore_index=True)
    width = np.ptp(result_of(one)["interval"])
    assert np.ptp(result_of(tenfold)["interval"]) == pytest.approx(width, rel=0.15)
    apart = tenfold.assign(unit=[str(number) for number in range(4000)])
    assert np.ptp(result_of(apart)["interval"]) < width / 2


@settings(max_examples=25)
@given(st.lists(st.floats(1e3, 1e6), min_size=1, max_size=40), st.integers(0, 99))
def test_resampled_medians_equal_those_of_explicit_resamples(valued, seed):
    part = pd.DataFrame({"unit": [number // 2 for number in range(len(valued))], "price": 1e5, "valued": valued})
    drawn = experiment_result._bootstrap_medians(part, 5, [seed])
    units = [part[part["unit"] == unit] for unit in part["unit"].unique()]
    rows = np.random.default_rng([seed]).integers(0, len(units), size=(5, len(units)), dtype=np.int32)
    for row, median in zip(rows, drawn, strict=True):
        resample = pd.concat([units[unit] for unit in row])
        assert median == pytest.approx(mdape(resample["valued"], resample["price"]))


def test_a_sample_ratio_mismatch_is_the_verdict():
    sales = simulated_sales(2000, better=0.02)
    assert result_of(sales, units={CHAMPION: 5200, CHALLENGER: 4800})["verdict"] == experiment_result.MISMATCHED
    assert result_of(sales, units={CHAMPION: 5050, CHALLENGER: 4950})["verdict"] == experiment_result.BETTER
    few_sold = sales[(sales["variant"] == CHAMPION) | (np.arange(2000) % 2 == 0)]
    assert result_of(few_sold, units={CHAMPION: 5050, CHALLENGER: 4950})["verdict"] == experiment_result.MISMATCHED


def test_the_sample_ratio_test_is_pearsons():
    # (60 − 50)² ÷ 50 + (40 − 50)² ÷ 50 = 4, of which chi-square with one degree has 0.0455 beyond.
    assert sample_ratio([60, 40], 0.5) == {"counts": [60, 40], "p": pytest.approx(0.0455, abs=1e-4), "ok": True}
    assert sample_ratio([80, 20], 0.2)["p"] == 1
    assert sample_ratio([30, 1], 0.1)["ok"] is None


@pytest.mark.parametrize("count", [0, 1, 15])
def test_few_sales_give_no_interval(count):
    result = result_of(simulated_sales(count) if count else simulated_sales(1).head(0), sales=1000)
    assert (result["verdict"], result["interval"], result["needed_sales"]) == (experiment_result.TOO_EARLY, None, None)
    assert sum(result["variants"][name]["n"] for name in (CHAMPION, CHALLENGER)) == count


def test_measures_are_computed_per_variant():
    sales = simulated_sales(50)
    sales["low"], sales["high"] = sales["price"] * 0.99, sales["price"] * np.where(np.arange(50) % 5, 1.01, 0.995)
    champion = sales[sales["variant"] == CHAMPION]
    sales = result_of(sales)["variants"][CHAMPION]
    assert sales["n"] == len(champion)
    assert sales["mdape"] == mdape(champion["valued"], champion["price"])
    assert sales["coverage"] == (champion["high"] > champion["price"]).mean()
