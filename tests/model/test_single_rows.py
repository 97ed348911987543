"""Single rows against what LightGBM says of them all: never a bit of difference, whoever asks at the same time."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from boosters import fitted, rows_to_value

from homei.model.single_rows import SingleRows


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"objective": "gamma"},
        {"objective": "binary"},
        {"objective": "regression_l1", "num_leaves": 130},
        {"zero_as_missing": True},
        {"linear_tree": True},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"min_gain_to_split": 1e9},
    ],
    ids=str,
)
def test_each_row_is_predicted_as_lightgbm_does_bit_for_bit(parameters):
    booster = fitted(**parameters)
    rows = rows_to_value(booster)
    assert SingleRows(booster).predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_rows_of_any_layout_and_none_at_all():
    booster = fitted()
    single, rows = SingleRows(booster), rows_to_value(booster)[:50]
    expected = booster.predict(rows, num_threads=1)
    assert single.predict(np.asfortranarray(rows)).tobytes() == expected.tobytes()
    assert single.predict(rows[::2]).tobytes() == expected[::2].tobytes()
    assert single.predict(rows[:0]).shape == (0,)


def test_rows_of_another_length_are_refused():
    booster = fitted()
    with pytest.raises(ValueError, match="rows of 3 inputs, where the model has 8"):
        SingleRows(booster).predict(np.zeros((1, 3)))


def test_threads_that_ask_at_once_are_each_told_of_their_own_rows():
    booster = fitted(num_leaves=80)
    single, rows = SingleRows(booster), rows_to_value(booster)[:2000]
    expected = booster.predict(rows, num_threads=1)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: single.predict(rows[[number]])[0], range(len(rows))))
    assert np.array(told).tobytes() == expected.tobytes()


def test_the_trees_stay_for_as_long_as_they_are_asked():
    single = SingleRows(fitted())
    rows = rows_to_value(fitted())[:1]
    gc.collect()
    assert np.isfinite(single.predict(rows)).all()
