"""Intervals on residuals whose spread is known: in half of the city it is three times as wide."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.model.intervals import FEWEST, ROUNDS, OutOfTime, calibrate, conformal_quantile, interval_score, widening
from homei.model.preprocess import Encoder

ENCODER = Encoder(("floor",), {"location": ("calm", "wild")})


def period(seed, size=1500, spread=1.0, wild=0.15, gaps=1.0):
    """Sales of which a fifth doesn't tell the floor: their errors are `gaps` times as large."""
    draw = np.random.default_rng(seed)
    location = draw.choice(["calm", "wild"], size).astype(object)
    columns = {
        "floor": np.where(untold := draw.random(size) < 0.2, np.nan, draw.normal(size=size)),
        "month": np.full(size, 24_000 + seed),
        "year_built": np.full(size, 1990.0),
        "square_meters": draw.uniform(30, 200, size),
        "location": location,
        "property_type": np.full(size, "flat", dtype=object),
    }
    sigma = spread * np.where(location == "wild", wild, 0.05) * np.where(untold, gaps, 1.0)
    return OutOfTime(columns, draw.normal(0, sigma))


def trees(spread):
    return spread.model._booster.num_trees()


def covered(spread, part):
    return np.abs(part.residuals) <= spread.reach * spread.of(part.columns, ENCODER.matrix(part.columns))


def test_the_promise_holds_on_further_sales_in_the_calm_half_and_in_the_wild():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10, size=8000)
    inside, wild = covered(spread, later), later.columns["location"] == "wild"
    assert 0.88 < inside.mean() < 0.94
    assert 0.87 < inside[wild].mean() < 0.95
    assert 0.87 < inside[~wild].mean() < 0.95


def test_where_errors_are_larger_intervals_are_wider():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10)
    size, wild = spread.of(later.columns, ENCODER.matrix(later.columns)), later.columns["location"] == "wild"
    assert 2.4 < np.median(size[wild]) / np.median(size[~wild]) < 3.6


def test_the_deviation_is_that_of_the_residuals():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10, size=8000)
    deviation = spread.scale * spread.of(later.columns, ENCODER.matrix(later.columns))
    assert np.sqrt(np.mean((later.residuals / deviation) ** 2)) == pytest.approx(1, abs=0.05)


def test_a_rough_period_counts_as_one_of_them():
    calm, rough = [period(0), period(1)], period(2, spread=1.5)
    reach = calibrate([*calm, rough], ENCODER, (), 0.9, seed=1).reach
    assert calibrate([*calm, period(2)], ENCODER, (), 0.9, seed=1).reach < reach
    assert reach < calibrate([period(0, spread=1.5), period(1), rough], ENCODER, (), 0.9, seed=1).reach * 1.5


def test_a_higher_level_reaches_further_and_the_same_parts_give_the_same():
    parts = [period(seed, size=400) for seed in range(2)]
    reaches = [calibrate(parts, ENCODER, (), level, seed=1).reach for level in (0.6, 0.8, 0.95)]
    assert reaches == sorted(reaches)
    assert len(set(reaches)) == 3
    assert calibrate(parts, ENCODER, (), 0.8, seed=1).reach == reaches[1]


def test_the_quantile_of_nine_scores():
    scores = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
    assert conformal_quantile(scores, 0.8) == 8  # the ⌈10 · 0.8⌉-th
    assert conformal_quantile(scores, 0.81) == 9
    assert conformal_quantile(scores, 0.99) == 9  # too few to tell: the largest


def test_where_errors_are_alike_the_spread_is_of_few_trees_and_hardly_wider_than_one_width_for_all():
    alike = calibrate([period(seed, wild=0.05) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    apart = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    assert trees(alike) == min(ROUNDS) < trees(apart)
    later = period(10, size=8000, wild=0.05)
    widths = alike.reach * alike.of(later.columns, ENCODER.matrix(later.columns))
    assert widths.mean() == pytest.approx(1.645 * 0.05, rel=0.04)


@pytest.mark.parametrize("gaps", [1.0, 4.0])
def test_the_promise_holds_where_an_attribute_is_left_out_and_where_none_is(gaps):
    parts = [period(seed, wild=0.05, gaps=gaps) for seed in range(4)]
    spread, later = calibrate(parts, ENCODER, ("floor",), 0.9, seed=1), period(10, size=8000, wild=0.05, gaps=gaps)
    inside, untold = covered(spread, later), np.isnan(later.columns["floor"])
    assert inside[untold].mean() == pytest.approx(0.9, abs=0.025)
    assert inside[~untold].mean() == pytest.approx(0.9, abs=0.02)


def test_a_group_of_too_few_keeps_its_factor_and_overlapping_ones_share_what_they_need():
    size = 4000
    draw = np.random.default_rng(2)
    groups = {"far": draw.random(size) < 0.3, "odd": draw.random(size) < 0.3, "rare": np.arange(size) < 50}
    scores = np.abs(draw.normal(size=size)) * np.where(groups["far"], 2.0, 1.0) * np.where(groups["odd"], 1.5, 1.0)
    start = {"far": 1.0, "odd": 1.0, "rare": 7.0}
    reach = conformal_quantile(scores[~groups["far"] & ~groups["odd"]], 0.9)
    scores[groups["rare"]] *= 7.0
    found = widening(scores, groups, start, 0.9, reach)
    assert found["far"] == pytest.approx(2.0, rel=0.12)
    assert found["odd"] == pytest.approx(1.5, rel=0.12)
    assert found["rare"] == 7.0


@given(st.lists(st.tuples(st.floats(0.01, 10), st.booleans(), st.booleans()), min_size=250, max_size=300))
@settings(max_examples=20)
def test_no_group_is_narrower_than_the_rest_and_all_of_enough_are_covered(rows):
    scores, *members = (np.array(column) for column in zip(*rows, strict=True))
    groups = dict(zip(("one", "two"), members, strict=True))
    reach = conformal_quantile(scores, 0.9)
    found = widening(scores, groups, dict.fromkeys(groups, 1.0), 0.9, reach)
    assert all(factor >= 1 for factor in found.values())
    for name, mask in groups.items():
        if mask.sum() >= FEWEST:
            factors = np.prod([np.where(groups[other], found[other], 1.0) for other in groups], axis=0)
            assert (scores <= reach * factors * 1.001)[mask].mean() > 0.85, name


def test_an_interval_scores_by_its_width_and_by_what_lies_beyond():
    sizes, reaches = np.array([0.5, 3.0]), np.array([1.0, 2.0])
    assert interval_score(sizes, reaches, 0.9) == pytest.approx((2 * 1 + 2 * 2 + 20 * 1.0) / 2)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(np.array), st.floats(0.5, 0.99))
def test_enough_scores_stay_within_the_quantile_and_no_smaller_one_would_do(scores, level):
    found = conformal_quantile(scores, level)
    needed = min(math.ceil((len(scores) + 1) * level), len(scores))
    assert (scores <= found).sum() >= needed
    assert (scores < found).sum() < needed
