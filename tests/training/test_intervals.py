"""Intervals for simulated residuals whose spread is three times as large in half of the city."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.training.encoding import Encoder
from homei.training.intervals import (
    MIN_GROUP_SALES,
    ROUNDS,
    OutOfTimeSales,
    calibrate,
    conformal_quantile,
    group_widening,
    interval_score,
)

ENCODER = Encoder(("floor",), {"location": ("calm", "wild")})


def period(seed, size=1500, spread=1.0, wild=0.15, gaps=1.0):
    """Sales of which a fifth has no floor, with errors `gaps` times as large."""
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
    return OutOfTimeSales(columns, draw.normal(0, sigma))


def trees(spread):
    return spread.model._booster.num_trees()


def covered(spread, part):
    return np.abs(part.residuals) <= spread.conformal_multiplier * spread.spread(
        part.columns, ENCODER.matrix(part.columns)
    )


def test_new_sales_of_both_halves_are_covered():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10, size=8000)
    inside, wild = covered(spread, later), later.columns["location"] == "wild"
    assert 0.88 < inside.mean() < 0.94
    assert 0.87 < inside[wild].mean() < 0.95
    assert 0.87 < inside[~wild].mean() < 0.95


def test_intervals_are_wider_where_errors_are_larger():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10)
    size, wild = spread.spread(later.columns, ENCODER.matrix(later.columns)), later.columns["location"] == "wild"
    assert 2.4 < np.median(size[wild]) / np.median(size[~wild]) < 3.6


def test_the_predicted_deviation_equals_that_of_the_residuals():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    later = period(10, size=8000)
    deviation = spread.deviation_multiplier * spread.spread(later.columns, ENCODER.matrix(later.columns))
    assert np.sqrt(np.mean((later.residuals / deviation) ** 2)) == pytest.approx(1, abs=0.05)


def test_a_volatile_period_counts_like_any_other():
    calm, rough = [period(0), period(1)], period(2, spread=1.5)
    reach = calibrate([*calm, rough], ENCODER, (), 0.9, seed=1).conformal_multiplier
    assert calibrate([*calm, period(2)], ENCODER, (), 0.9, seed=1).conformal_multiplier < reach
    assert (
        reach
        < calibrate([period(0, spread=1.5), period(1), rough], ENCODER, (), 0.9, seed=1).conformal_multiplier * 1.5
    )


def test_multipliers_grow_with_the_level_and_are_repeatable():
    parts = [period(seed, size=400) for seed in range(2)]
    reaches = [calibrate(parts, ENCODER, (), level, seed=1).conformal_multiplier for level in (0.6, 0.8, 0.95)]
    assert reaches == sorted(reaches)
    assert len(set(reaches)) == 3
    assert calibrate(parts, ENCODER, (), 0.8, seed=1).conformal_multiplier == reaches[1]


def test_the_quantile_of_nine_scores():
    scores = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
    assert conformal_quantile(scores, 0.8) == 8  # the ⌈10 · 0.8⌉-th
    assert conformal_quantile(scores, 0.81) == 9
    assert conformal_quantile(scores, 0.99) == 9  # too few to tell: the largest


def test_uniform_errors_give_few_trees_and_nearly_constant_widths():
    alike = calibrate([period(seed, wild=0.05) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    apart = calibrate([period(seed) for seed in range(3)], ENCODER, (), 0.9, seed=1)
    assert trees(alike) == min(ROUNDS) < trees(apart)
    later = period(10, size=8000, wild=0.05)
    widths = alike.conformal_multiplier * alike.spread(later.columns, ENCODER.matrix(later.columns))
    assert widths.mean() == pytest.approx(1.645 * 0.05, rel=0.04)


@pytest.mark.parametrize("gaps", [1.0, 4.0])
def test_sales_with_and_without_missing_attributes_are_covered(gaps):
    parts = [period(seed, wild=0.05, gaps=gaps) for seed in range(4)]
    spread, later = calibrate(parts, ENCODER, ("floor",), 0.9, seed=1), period(10, size=8000, wild=0.05, gaps=gaps)
    inside, untold = covered(spread, later), np.isnan(later.columns["floor"])
    assert inside[untold].mean() == pytest.approx(0.9, abs=0.025)
    assert inside[~untold].mean() == pytest.approx(0.9, abs=0.02)


def test_small_groups_keep_their_factor_and_overlapping_groups_share_theirs():
    size = 4000
    draw = np.random.default_rng(2)
    groups = {"far": draw.random(size) < 0.3, "odd": draw.random(size) < 0.3, "rare": np.arange(size) < 50}
    scores = np.abs(draw.normal(size=size)) * np.where(groups["far"], 2.0, 1.0) * np.where(groups["odd"], 1.5, 1.0)
    start = {"far": 1.0, "odd": 1.0, "rare": 7.0}
    reach = conformal_quantile(scores[~groups["far"] & ~groups["odd"]], 0.9)
    scores[groups["rare"]] *= 7.0
    result = group_widening(scores, groups, start, 0.9, reach)
    assert result["far"] == pytest.approx(2.0, rel=0.12)
    assert result["odd"] == pytest.approx(1.5, rel=0.12)
    assert result["rare"] == 7.0


@given(st.lists(st.tuples(st.floats(0.01, 10), st.booleans(), st.booleans()), min_size=250, max_size=300))
@settings(max_examples=20)
def test_factors_are_at_least_one_and_cover_all_large_groups(rows):
    scores, *members = (np.array(column) for column in zip(*rows, strict=True))
    groups = dict(zip(("one", "two"), members, strict=True))
    reach = conformal_quantile(scores, 0.9)
    result = group_widening(scores, groups, dict.fromkeys(groups, 1.0), 0.9, reach)
    assert all(factor >= 1 for factor in result.values())
    for name, mask in groups.items():
        if mask.sum() >= MIN_GROUP_SALES:
            factors = np.prod([np.where(groups[other], result[other], 1.0) for other in groups], axis=0)
            assert (scores <= reach * factors * 1.001)[mask].mean() > 0.85, name


def test_the_interval_score_penalises_width_and_distance_outside():
    sizes, reaches = np.array([0.5, 3.0]), np.array([1.0, 2.0])
    assert interval_score(sizes, reaches, 0.9) == pytest.approx((2 * 1 + 2 * 2 + 20 * 1.0) / 2)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(np.array), st.floats(0.5, 0.99))
def test_the_quantile_is_the_smallest_that_covers_enough_scores(scores, level):
    result = conformal_quantile(scores, level)
    needed = min(math.ceil((len(scores) + 1) * level), len(scores))
    assert (scores <= result).sum() >= needed
    assert (scores < result).sum() < needed
