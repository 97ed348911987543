"""Verdicts: what a number has to be for its sentence to be good news."""

import numpy as np
import pytest

from homei.config import Bands
from homei.model import verdicts
from homei.model.equity import vertical_equity
from homei.model.ratio import bootstrap_study, ratio_study

BANDS = Bands(
    median_ratio=(0.9, 1.1), cod=(0.05, 0.15), prd=(0.98, 1.03), prb=(-0.05, 0.05), mki=(0.95, 1.05), vei=(-0.1, 0.1)
)


def valued(n=2_000, sigma=0.08, level=1.0, slope=0.0, seed=6):
    random = np.random.default_rng(seed)
    doublings = random.normal(0, 0.6, n)
    price = 3e5 * 2**doublings
    return price * (level + slope * doublings) * np.exp(random.normal(0, sigma, n)), price


def bands(**kwargs):
    return judged(*valued(**kwargs))


def judged(values, price):
    study = bootstrap_study(values, price, draws=200, seed=1)
    significance = vertical_equity(values, price)["significance"]
    return {verdict["name"]: verdict for verdict in verdicts.band_verdicts(study, significance, BANDS)}


def test_good_valuations_are_within_every_band():
    found = bands()
    assert list(found) == ["median_ratio", "cod", "prd", "prb", "mki", "vei"]
    assert all(verdict["ok"] for verdict in found.values())
    for verdict in found.values():
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
def test_each_band_catches_its_fault(fault, kwargs):
    assert bands(**kwargs)[fault]["ok"] is False


def test_more_uniform_than_the_band_is_no_failure():
    cod = bands(sigma=0.02)["cod"]
    assert cod["value"] < cod["low"] and cod["ok"] is True


def test_a_value_just_outside_a_band_may_be_chance_in_a_small_sample():
    assert bands(n=25, level=1.11)["median_ratio"]["ok"] is True
    assert bands(n=20_000, level=1.11)["median_ratio"]["ok"] is False


def test_a_better_model_beats_its_rival_and_an_equal_one_does_not():
    values, price = valued(sigma=0.05)
    worse, _ = valued(sigma=0.10)
    better = verdicts.rival_verdict("naive", values, worse, price, draws=200, seed=1)
    assert (better["name"], better["ok"]) == ("better_than_naive", True)
    assert better["value"] == pytest.approx(0.5, abs=0.05)
    assert "lower than that of the median of like homes" in better["text"]
    assert verdicts.rival_verdict("naive", values, values, price, draws=200, seed=1)["ok"] is False


def test_the_floor_is_judged_by_what_it_knows():
    study, interval = ratio_study(*valued()), (0.05, 0.056)
    near = {"basis": "known noise", "mdape": study["mdape"] / 1.1}
    far = {"basis": "known noise", "mdape": study["mdape"] / 1.3}
    assert verdicts.floor_verdict(study, interval, near)["ok"] is True
    assert verdicts.floor_verdict(study, interval, far)["ok"] is False
    assert verdicts.floor_verdict(study, interval, {**far, "basis": "twins"})["ok"] is True


def test_without_a_floor_there_is_no_verdict():
    verdict = verdicts.floor_verdict(ratio_study(*valued()), (0.05, 0.056), {"basis": "twins", "mdape": None})
    assert (verdict["ok"], verdict["value"]) == (None, None)
    assert verdict["text"] == "There are too few sales to tell."


def test_one_sale_leaves_price_related_bias_undecided():
    found = judged([110.0], [100.0])
    for name in ("prb", "mki", "vei"):
        assert (found[name]["value"], found[name]["ok"], found[name]["interval"]) == (None, None, [None, None])


def test_a_vertical_equity_indicator_beyond_its_band_may_be_chance():
    study = bootstrap_study(*valued(n=60, sigma=0.1, slope=-0.12), draws=50, seed=1)
    study["vei"]["value"] = -0.2

    def ok(significance):
        return verdicts.band_verdicts(study, significance, BANDS)[-1]["ok"]

    assert [ok(significance) for significance in (0.0, -0.08, -0.11, None)] == [True, True, False, None]
