"""Boosters of LightGBM over numbers and codes, and rows that are hard to tell apart."""

import lightgbm
import numpy as np

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
    filled = np.nan_to_num(known)
    target = (
        filled[:, 0] * filled[:, 3]
        + np.sin(filled[:, NUMBERS])
        + 0.1 * filled[:, 4]
        + 5 * (filled[:, NUMBERS + 1] == 2)
    )
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
