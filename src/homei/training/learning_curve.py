"""Learning curve: the hold-out's error of models trained on samples of increasing size."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from homei.training.encoding import columns_of
from homei.training.training_recipe import Recipe

CURVE = Path("reports/training/learning_curve.csv")
CONFIDENCE_Z = 1.96


def learning_curve(
    before: pd.DataFrame, holdout: pd.DataFrame, sizes: Sequence[int], recipe: Recipe, workers: int = 1
) -> pd.DataFrame:
    """Hold-out errors by training set size, for the sizes below the number of sales `before` it.

    There is a row for each size, with n_sales, mdape, low, high and ppe10. A sample is drawn by the hash of a sale's id
    and the recipe's seed, so a larger one contains the smaller ones.
    """
    draw = pd.util.hash_array(before["transaction_id"].to_numpy(dtype=object), hash_key=f"{recipe.seed:016d}"[-16:])
    order = np.argsort(draw, kind="stable")
    smaller = [size for size in sorted(sizes) if size < len(before)]

    def values(size: int) -> np.ndarray:
        # In their own order, as that of the rows must not matter to the model.
        return recipe.fit(before.iloc[np.sort(order[:size])]).prices(columns_of(holdout))

    with ThreadPoolExecutor(workers) as pool:
        rows = [
            curve_row(size, prices, holdout["price"])
            for size, prices in zip(smaller, pool.map(values, smaller), strict=True)
        ]
    return pd.DataFrame(rows, columns=["n_sales", "mdape", "low", "high", "ppe10"])


def curve_row(n_sales: int, values: Sequence[float] | np.ndarray, prices: Sequence[float]) -> dict[str, float]:
    """The errors of one model: its MdAPE with a 95 % interval, and the share of values within 10 %.

    The interval is between the order statistics that enclose the median with that confidence for any distribution
    (Conover, Practical Nonparametric Statistics, 3.2).
    """
    errors = np.sort(np.abs(np.asarray(values) / np.asarray(prices) - 1))
    half_width = CONFIDENCE_Z * np.sqrt(len(errors)) / 2
    low, high = np.clip(np.round(len(errors) / 2 + np.array([-half_width, half_width])), 0, len(errors) - 1).astype(int)
    measures = {"mdape": np.median(errors), "low": errors[low], "high": errors[high], "ppe10": (errors <= 0.1).mean()}
    return {"n_sales": n_sales, **{name: round(float(value), 6) for name, value in measures.items()}}
