"""The tables behind the plots of the stage `evaluate`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from homei.config import projection
from homei.config.city import CityConfig
from homei.evaluation.confidence_calibration import confidence_table
from homei.evaluation.config import EvaluateConfig
from homei.evaluation.ratio_study import bootstrap_interval, ratio_study
from homei.evaluation.slices import price_decile, slices
from homei.features.columns import first_day
from homei.features.config import FeaturesConfig

MAX_POINTS = 5_000  # of the scatter plot
MIN_CELL_SALES = 5


def plot_tables(
    valued: pd.DataFrame,
    holdout: pd.DataFrame,
    city: CityConfig,
    features: FeaturesConfig,
    evaluate: EvaluateConfig,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """The tables by name, from all out-of-time predictions (`valued`) and those of the hold-out."""
    draws = evaluate.bootstrap
    deciles = holdout.groupby(price_decile(holdout["predicted"], holdout["price"]))
    months = valued.groupby(valued["month"].map(lambda month: f"{first_day(month):%Y-%m}"))
    return {
        "confidence": confidence_table(holdout, draws, seed),
        "predicted_actual": predicted_actual(holdout, seed),
        "ratio_by_decile": by_group("decile", deciles, "median_ratio", draws, seed),
        "error_by_month": by_group("month", months, "mdape", draws, seed),
        "error_map": error_map(holdout, city, features),
        "slices": slices(holdout, evaluate.min_slice, draws, seed),
    }


def predicted_actual(holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    """actual and predicted of a random sample of at most MAX_POINTS sales."""
    sample = holdout.sample(min(MAX_POINTS, len(holdout)), random_state=seed).sort_values("transaction_id")
    return pd.DataFrame({"actual": sample["price"], "predicted": sample["predicted"]}).round(2)


def by_group(key: str, groups: Any, statistic: str, draws: int, seed: int) -> pd.DataFrame:
    """The group's name (column `key`), n, the statistic, and its 95 % interval low, high."""
    rows = []
    for name, members in groups:
        valued, price = members["predicted"], members["price"]
        low, high = bootstrap_interval(statistic, valued, price, draws, seed)
        study = ratio_study(valued, price)
        rows.append({key: name, "n": study["n"], statistic: study[statistic], "low": low, "high": high})
    return pd.DataFrame(rows).round(6)


def error_map(holdout: pd.DataFrame, city: CityConfig, features: FeaturesConfig) -> pd.DataFrame:
    """longitude, latitude (means), n, median_error (signed) and mdape of each coarse grid cell.

    Cells with fewer than MIN_CELL_SALES sales and sales without coordinates are left out.
    """
    located = holdout.dropna(subset=["latitude", "longitude"])
    x, y = projection.project(located["latitude"], located["longitude"], city.coordinates)
    column, row = projection.cell(x, y, features.cells.coarse, np.floor)
    error = located["predicted"] / located["price"] - 1
    groups = located.assign(error=error, size=error.abs()).groupby([row.rename("row"), column.rename("column")])
    cells = groups.agg(
        longitude=("longitude", "mean"),
        latitude=("latitude", "mean"),
        n=("error", "size"),
        median_error=("error", "median"),
        mdape=("size", "median"),
    )
    return cells[cells["n"] >= MIN_CELL_SALES].reset_index(drop=True).round(6)
