"""Predictions of tree tables equal those of LightGBM bit for bit."""

import lightgbm
import numpy as np
import pytest
from boosters import NUMBERS, fitted, matrix, rows_to_value

from homei.training import tree_tables
from homei.training.tree_tables import TreeTables


@pytest.mark.parametrize("leaves", [2, 8, 31, 32, 33, 80, 130])
@pytest.mark.parametrize("objective", ["regression", "huber", "regression_l1"])
def test_predictions_equal_lightgbm_bit_for_bit(leaves, objective):
    booster = fitted(num_leaves=leaves, objective=objective)
    tables, rows = TreeTables.read(booster.model_to_string()), rows_to_value(booster)
    assert tables.predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_a_row_has_the_same_prediction_in_a_matrix_of_any_size(monkeypatch):
    booster = fitted(num_leaves=31)
    tables, rows = TreeTables.read(booster.model_to_string()), rows_to_value(booster)
    whole = tables.predict(rows)
    monkeypatch.setattr(tree_tables, "MAX_CELLS", 64 * len(tables.starts))
    for size in (1, 2, 7, 63, 64, 65, 66, len(rows)):
        assert tables.predict(rows[:size]).tobytes() == whole[:size].tobytes()
    assert len(rows) > 128 and tables.predict(rows[:0]).shape == (0,)


@pytest.mark.parametrize("most", [1, 300, 10**5])
def test_inputs_with_tables_of_their_own_and_shared_tables_predict_the_same(monkeypatch, most):
    monkeypatch.setattr(tree_tables, "MAX_COMBINATIONS", most)
    booster = fitted(num_leaves=31)
    tables, rows = TreeTables.read(booster.model_to_string()), rows_to_value(booster)
    shared = [table for table in tables.tables if len(table.inputs) > 1]
    assert bool(shared) == (most > 1) and all(len(table.leaves) <= most for table in shared)
    assert tables.predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_models_of_numbers_only_and_of_categories_only_are_supported():
    known = matrix(1)
    for columns, categories in (([0, 3], []), ([NUMBERS], [0])):
        own = {"verbosity": -1, "num_threads": 1}
        data = lightgbm.Dataset(known[:, columns], np.nan_to_num(known[:, 0]), categorical_feature=categories)
        booster = lightgbm.train(own, data, 20)
        rows = np.ascontiguousarray(known[:, columns])
        assert TreeTables.read(booster.model_to_string()).predict(rows).tobytes() == booster.predict(rows).tobytes()


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
def test_other_kinds_of_models_are_left_to_lightgbm(parameters):
    assert TreeTables.read(fitted(**parameters).model_to_string()) is None
