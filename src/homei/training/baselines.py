"""Baselines of the model: median of similar sales, ridge regression, default LightGBM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.features.columns import feature_columns, place_columns
from homei.features.config import FeaturesConfig
from homei.training.estimators import Parameters
from homei.training.intervals import conformal_quantile
from homei.training.training_recipe import Recipe

MIN_SALES = 300  # with or without an area, for a regression of their own
WINDOW_MONTHS = 6  # of sales before the month of valuation
GROUPINGS = (["location", "property_type"], ["property_type"])  # the finest with sales is used


def naive(sales: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Values of `test` by similar sales: median price per m² × area, or the median price without an area.

    Similar are sales of the same location and type in the WINDOW_MONTHS before the month of valuation; without any,
    those of the type, then of the whole city. NaN without any sale. On HDB resales its MdAPE is 7.05 %, that of the
    plain median price 7.17 %.
    """
    sales = sales.assign(per_square_meter=sales["price"] / sales["square_meters"])
    values = np.full(len(test), np.nan)
    for month in np.unique(test["month"]):
        recent = sales[sales["month"].between(month - WINDOW_MONTHS, month - 1)]
        rows = (test["month"] == month).to_numpy()
        values[rows] = _median_level(recent, test[rows], "per_square_meter") * test.loc[rows, "square_meters"]
        has_no_value = rows & np.isnan(values)
        if has_no_value.any():
            values[has_no_value] = _median_level(recent, test[has_no_value], "price")
    return values


def _median_level(recent: pd.DataFrame, test: pd.DataFrame, column: str) -> np.ndarray:
    level = np.full(len(test), np.nan)
    for keys in GROUPINGS:
        median = recent.groupby(keys, as_index=False)[column].median()
        of_group = test[keys].merge(median, on=keys, how="left", validate="many_to_one")[column].to_numpy()
        level = np.where(np.isnan(level), of_group, level)
    overall = recent[column].dropna()
    return np.where(np.isnan(level), overall.median() if len(overall) else np.nan, level)


def linear(recipe: Recipe, training: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Values of `test` by a ridge regression on the same sales and features as the model of `recipe`.

    Properties without an area have a regression of their own, since one set of coefficients cannot describe both prices
    per m² and whole prices. With fewer than MIN_SALES training sales of its own, a regression uses all of them: for
    properties without an area, as if none had one.
    """
    ridge, values = recipe.linear(), np.full(len(test), np.nan)
    for has_area in (True, False):
        rows, own = (table["square_meters"].notna().to_numpy() == has_area for table in (test, training))
        if rows.any():
            everything = training if has_area else training.assign(square_meters=np.nan)
            values[rows] = ridge.prices(training[own] if own.sum() >= MIN_SALES else everything, test[rows])
    return values


def untuned(recipe: Recipe, city: CityConfig, features: FeaturesConfig, parameters: Parameters) -> Recipe:
    """The recipe of LightGBM with default parameters on a property's own attributes.

    Its inputs are attributes, coordinates, places nearby and the month, without features of other sales. Like all
    models, it predicts relative to the city's price index. All sales have the same weight.
    """
    market_features = set(feature_columns(city, features)) - set(place_columns(city))
    return replace(
        recipe,
        name="lightgbm",
        parameters=dict(parameters),
        numeric=tuple(name for name in recipe.all_numeric if name not in market_features),
        half_life_months=np.inf,
        masking=recipe.without_masking(),
    )


def split_conformal(predicted: pd.Series, residuals: np.ndarray, level: float) -> dict[str, pd.Series]:
    """plain_low and plain_high: split-conformal intervals of constant log width, to the cent.

    The width is the conformal quantile of the absolute log `residuals` at `level`.
    """
    factor = np.exp(conformal_quantile(np.abs(residuals), level))
    return {"plain_low": np.round(predicted / factor, 2), "plain_high": np.round(predicted * factor, 2)}
