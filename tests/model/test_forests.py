"""Tables against the trees of LightGBM that they were read from: never a bit of difference."""

import lightgbm
import numpy as np
import pytest
from boosters import NUMBERS, fitted, matrix, rows_to_value

from homei.model import forests
from homei.model.forests import Forest


@pytest.mark.parametrize("leaves", [2, 8, 31, 32, 33, 80, 130])
@pytest.mark.parametrize("objective", ["regression", "huber", "regression_l1"])
def test_tables_say_what_the_trees_say_bit_for_bit(leaves, objective):
    booster = fitted(num_leaves=leaves, objective=objective)
    forest, rows = Forest.read(booster.model_to_string()), rows_to_value(booster)
    assert forest.predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_a_row_is_worth_the_same_in_however_large_a_matrix(monkeypatch):
    booster = fitted(num_leaves=31)
    forest, rows = Forest.read(booster.model_to_string()), rows_to_value(booster)
    whole = forest.predict(rows)
    monkeypatch.setattr(forests, "AT_ONCE", 64 * len(forest.starts))
    for size in (1, 2, 7, 63, 64, 65, 66, len(rows)):
        assert forest.predict(rows[:size]).tobytes() == whole[:size].tobytes()
    assert len(rows) > 128 and forest.predict(rows[:0]).shape == (0,)


@pytest.mark.parametrize("most", [1, 300, 10**5])
def test_inputs_say_the_same_each_by_itself_and_together(monkeypatch, most):
    monkeypatch.setattr(forests, "MOST_PLACES", most)
    booster = fitted(num_leaves=31)
    forest, rows = Forest.read(booster.model_to_string()), rows_to_value(booster)
    shared = [table for table in forest.tables if len(table.inputs) > 1]
    assert bool(shared) == (most > 1) and all(len(table.left) <= most for table in shared)
    assert forest.predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_only_numbers_and_only_categories_will_do():
    known = matrix(1)
    for columns, categories in (([0, 3], []), ([NUMBERS], [0])):
        own = {"verbosity": -1, "num_threads": 1}
        data = lightgbm.Dataset(known[:, columns], np.nan_to_num(known[:, 0]), categorical_feature=categories)
        booster = lightgbm.train(own, data, 20)
        rows = np.ascontiguousarray(known[:, columns])
        assert Forest.read(booster.model_to_string()).predict(rows).tobytes() == booster.predict(rows).tobytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "gamma"},
        {"objective": "binary"},
        {"objective": "regression", "reg_sqrt": True},
        {"zero_as_missing": True},
        {"linear_tree": True},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"min_gain_to_split": 1e9},
    ],
    ids=str,
)
def test_what_is_no_plain_sum_of_plain_trees_is_left_to_lightgbm(parameters):
    assert Forest.read(fitted(**parameters).model_to_string()) is None
