"""Tables against the trees of LightGBM that they were read from: never a bit of difference."""

import lightgbm
import numpy as np
import pytest

from homei.model.forests import Forest

NUMBERS, CODES = 6, 70
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1e300, -1e300]


def matrix(seed, rows=3000):
    """Numbers with and without unknown ones, few values and many, one column that is constant, and codes."""
    draw = np.random.default_rng(seed)
    filled = draw.normal(size=(rows, NUMBERS + 2))
    filled[:, 1] = draw.integers(0, 3, rows)
    filled[:, 2] = 7.0
    filled[:, NUMBERS] = draw.integers(0, CODES, rows)
    filled[:, NUMBERS + 1] = draw.integers(0, 5, rows)
    unknown = draw.random(filled.shape) < 0.1
    unknown[:, 3] = False
    filled[unknown] = np.nan
    return filled


def fitted(**parameters):
    known = matrix(1)
    told = np.nan_to_num(known)
    target = told[:, 0] * told[:, 3] + np.sin(told[:, NUMBERS]) + 0.1 * told[:, 4] + 5 * (told[:, NUMBERS + 1] == 2)
    if parameters.get("objective") in ("gamma", "binary"):
        target = (target > 0) + (0.5 if parameters["objective"] == "gamma" else 0)
    own = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 3, **parameters}
    categories = [NUMBERS, NUMBERS + 1]
    data = lightgbm.Dataset(known, target, categorical_feature=categories, params=own, free_raw_data=False)
    return lightgbm.train(own, data, 60)


def rows_to_value(booster):
    """Rows like those learnt from, the very thresholds of the trees, and what is hardly a number."""
    usual, draw = matrix(2), np.random.default_rng(4)
    trees = booster.trees_to_dataframe()
    splits = trees[trees["decision_type"] == "<="]
    thresholds = splits["threshold"].astype(float).to_numpy()
    at_them = matrix(5)
    for name, own in splits.groupby("split_feature").groups.items():
        column = int(name.removeprefix("Column_"))
        at_them[:, column] = draw.choice(thresholds[splits.index.get_indexer(own)], len(at_them))
    strange = np.where(draw.random(usual.shape) < 0.3, draw.choice(SPECIAL, usual.shape), usual)
    codes = draw.choice([np.nan, -1.0, -0.5, 3.7, CODES, CODES + 1, 500.0], (len(usual), 2))
    strange[:, NUMBERS:] = np.where(draw.random(codes.shape) < 0.3, codes, usual[:, NUMBERS:])
    return np.concatenate([usual, at_them, strange])


@pytest.mark.parametrize("leaves", [2, 8, 31, 32, 33, 80, 130])
@pytest.mark.parametrize("objective", ["regression", "huber", "regression_l1"])
def test_tables_say_what_the_trees_say_bit_for_bit(leaves, objective):
    booster = fitted(num_leaves=leaves, objective=objective)
    forest, rows = Forest.read(booster.model_to_string()), rows_to_value(booster)
    assert forest.predict(rows).tobytes() == booster.predict(rows, num_threads=1).tobytes()


def test_a_row_is_worth_the_same_in_however_large_a_matrix():
    booster = fitted(num_leaves=31)
    forest, rows = Forest.read(booster.model_to_string()), rows_to_value(booster)
    whole = forest.predict(rows)
    for size in (1, 2, 7, 499, 501):
        assert forest.predict(rows[:size]).tobytes() == whole[:size].tobytes()
    assert forest.predict(rows[:0]).shape == (0,)


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
