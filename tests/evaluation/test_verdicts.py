"""Verdicts on statistics at, inside and outside their limits."""

import numpy as np
import pytest

from homei.evaluation import verdicts
from homei.evaluation.config import Bands
from homei.evaluation.equity import vertical_equity
from homei.evaluation.ratio_study import bootstrap_study, ratio_study

BANDS = Bands(
    median_ratio=(0.9, 1.1), cod=(0.05, 0.15), prd=(0.98, 1.03), prb=(-0.05, 0.05), mki=(0.95, 1.05), vei=(-0.1, 0.1)
)


def valued(n=2_000, sigma=0.08, level=1.0, slope=0.0, seed=6):
    random = np.random.default_rng(seed)
    doublings = random.normal(0, 0.6, n)
    price = 3e5 * 2**doublings
    return price * (level + slope * doublings) * np.exp(random.normal(0, sigma, n)), price


def bands(**kwargs):
    return band_verdicts_of(*valued(**kwargs))


def band_verdicts_of(values, price):
    study = bootstrap_study(values, price, draws=200, seed=1)
    significance = vertical_equity(values, price)["significance"]
    return {verdict["name"]: verdict for verdict in verdicts.band_verdicts(study, significance, BANDS)}


def test_good_valuations_pass_every_band():
    result = bands()
    assert list(result) == ["median_ratio", "cod", "prd", "prb", "mki", "vei"]
    assert all(verdict["ok"] for verdict in result.values())
    for verdict in result.values():
        assert verdict["interval"][0] <= verdict["value"] <= verdict["interval"][1]


@pytest.mark.parametrize(
    ("fault", "kwargs"),
    [
        ("median_ratio", {"level": 1.2}),
        ("cod", {"sigma": 0.3}),
        ("prb", {"slope": -0.12}),
        ("prd", {"slope": -0.2}),
        ("mki", {"slope": -0.12}),
        ("vei", {"slope": -0.12}),
    ],
)
def test_each_fault_fails_its_band(fault, kwargs):
    assert bands(**kwargs)[fault]["ok"] is False


def test_a_cod_below_its_band_passes():
    cod = bands(sigma=0.02)["cod"]
    assert cod["value"] < cod["low"] and cod["ok"] is True


def test_a_small_sample_just_outside_a_band_passes():
    assert bands(n=25, level=1.11)["median_ratio"]["ok"] is True
    assert bands(n=20_000, level=1.11)["median_ratio"]["ok"] is False


def test_a_better_model_beats_a_baseline_and_an_equal_one_does_not():
    values, price = valued(sigma=0.05)
    worse, _ = valued(sigma=0.10)
    better = verdicts.baseline_verdict("naive", values, worse, price, draws=200, seed=1)
    assert (better["name"], better["ok"]) == ("better_than_naive", True)
    assert better["value"] == pytest.approx(0.5, abs=0.05)
    assert "lower than that of the median of similar sales" in better["text"]
    assert verdicts.baseline_verdict("naive", values, values, price, draws=200, seed=1)["ok"] is False


def test_an_error_up_to_one_and_a_half_noise_floors_is_near_it():
    study, interval = ratio_study(*valued()), (0.05, 0.056)
    near = {"basis": "known noise", "mdape": study["mdape"] / 1.4}
    far = {"basis": "known noise", "mdape": study["mdape"] / 1.6}
    assert verdicts.noise_floor_verdict(study, interval, near)["ok"] is True
    assert verdicts.noise_floor_verdict(study, interval, far)["ok"] is False


def test_there_is_no_verdict_without_a_noise_floor():
    verdict = verdicts.noise_floor_verdict(ratio_study(*valued()), (0.05, 0.056), {"basis": "twins", "mdape": None})
    assert (verdict["ok"], verdict["value"]) == (None, None)
    assert verdict["text"] == "There are too few sales to tell."


def test_there_are_no_verdicts_on_fewer_sales_than_needed():
    results = list(bands().values())
    assert verdicts.of_enough_sales(results, 30, 30) == results
    few = verdicts.of_enough_sales(results, 26, 30)
    assert {result["ok"] for result in few} == {None}
    assert few[0]["text"] == "There are too few sales to tell. 26 were valued, and 30 are needed."


def test_a_baseline_is_compared_on_the_sales_that_it_values():
    values, price = valued(sigma=0.05)
    worse, _ = valued(sigma=0.10)
    some = np.where(np.arange(len(price)) % 2, worse, np.nan)
    assert verdicts.baseline_verdict("naive", values, some, price, draws=50, seed=1)["ok"] is True
    nothing = verdicts.baseline_verdict("naive", values, np.full(len(price), np.nan), price, draws=50, seed=1)
    assert (nothing["value"], nothing["ok"], nothing["text"]) == (None, None, "There are too few sales to tell.")


def test_one_sale_gives_no_vertical_equity_verdicts():
    result = band_verdicts_of([110.0], [100.0])
    for name in ("prb", "mki", "vei"):
        assert (result[name]["value"], result[name]["ok"], result[name]["interval"]) == (None, None, [None, None])


def test_the_verdict_on_vei_follows_its_significance():
    study = bootstrap_study(*valued(n=60, sigma=0.1, slope=-0.12), draws=50, seed=1)
    study["vei"]["value"] = -0.2

    def ok(significance):
        return verdicts.band_verdicts(study, significance, BANDS)[-1]["ok"]

    assert [ok(significance) for significance in (0.0, -0.08, -0.11, None)] == [True, True, False, None]
