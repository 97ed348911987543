"""Intervals on residuals whose spread is known: in half of the city it is three times as wide."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.model.intervals import OutOfTime, calibrate, conformal_quantile
from homei.model.preprocess import Encoder

ENCODER = Encoder(("floor",), {"location": ("calm", "wild")})


def period(seed, size=1500, spread=1.0):
    draw = np.random.default_rng(seed)
    location = draw.choice(["calm", "wild"], size).astype(object)
    columns = {
        "floor": draw.normal(size=size),
        "month": np.full(size, 24_000 + seed),
        "year_built": np.full(size, 1990.0),
        "square_meters": draw.uniform(30, 200, size),
        "location": location,
    }
    sigma = spread * np.where(location == "wild", 0.15, 0.05)
    return OutOfTime(columns, draw.normal(0, sigma))


def covered(spread, part):
    return np.abs(part.residuals) <= spread.reach * spread.of(ENCODER.matrix(part.columns))


def test_the_promise_holds_on_further_sales_in_the_calm_half_and_in_the_wild():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, 0.9, seed=1)
    later = period(10, size=8000)
    inside, wild = covered(spread, later), later.columns["location"] == "wild"
    assert 0.88 < inside.mean() < 0.94
    assert 0.87 < inside[wild].mean() < 0.95
    assert 0.87 < inside[~wild].mean() < 0.95


def test_where_errors_are_larger_intervals_are_wider():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, 0.9, seed=1)
    later = period(10)
    size, wild = spread.of(ENCODER.matrix(later.columns)), later.columns["location"] == "wild"
    assert 2.4 < np.median(size[wild]) / np.median(size[~wild]) < 3.6


def test_the_deviation_is_that_of_the_residuals():
    spread = calibrate([period(seed) for seed in range(3)], ENCODER, 0.9, seed=1)
    later = period(10, size=8000)
    deviation = spread.scale * spread.of(ENCODER.matrix(later.columns))
    assert np.sqrt(np.mean((later.residuals / deviation) ** 2)) == pytest.approx(1, abs=0.05)


def test_a_rough_period_counts_as_one_of_them():
    calm, rough = [period(0), period(1)], period(2, spread=1.5)
    reach = calibrate([*calm, rough], ENCODER, 0.9, seed=1).reach
    assert calibrate([*calm, period(2)], ENCODER, 0.9, seed=1).reach < reach
    assert reach < calibrate([period(0, spread=1.5), period(1), rough], ENCODER, 0.9, seed=1).reach * 1.5


def test_a_higher_level_reaches_further_and_the_same_parts_give_the_same():
    parts = [period(seed, size=400) for seed in range(2)]
    reaches = [calibrate(parts, ENCODER, level, seed=1).reach for level in (0.6, 0.8, 0.95)]
    assert reaches == sorted(reaches)
    assert len(set(reaches)) == 3
    assert calibrate(parts, ENCODER, 0.8, seed=1).reach == reaches[1]


def test_the_quantile_of_nine_scores():
    scores = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
    assert conformal_quantile(scores, 0.8) == 8  # the ⌈10 · 0.8⌉-th
    assert conformal_quantile(scores, 0.81) == 9
    assert conformal_quantile(scores, 0.99) == 9  # too few to tell: the largest


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(np.array), st.floats(0.5, 0.99))
def test_enough_scores_stay_within_the_quantile_and_no_smaller_one_would_do(scores, level):
    found = conformal_quantile(scores, level)
    needed = min(math.ceil((len(scores) + 1) * level), len(scores))
    assert (scores <= found).sum() >= needed
    assert (scores < found).sum() < needed
