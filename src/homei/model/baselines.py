"""What a valuation model must beat: the median of like homes, a regression, and boosted trees as they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from homei.config import Features
from homei.features.columns import feature_columns, place_columns
from homei.model.estimators import Parameters
from homei.model.recipe import Recipe
from homei.source import Source

MONTHS = 6  # of sales before the month of valuation
NARROWER = (["location", "property_type"], ["property_type"])


def naive(sales: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """Values of `asked` by what like homes fetched: their median price per m² times the area.

    Like homes are those of the same location and type sold in the MONTHS before the month of valuation; where there
    are none, those of the type, and then the whole city. NaN where nothing was sold at all. On HDB resales this errs a
    little less (MdAPE 7.05 %) than the median price itself (7.17 %).
    """
    per_meter = sales["price"] / sales["square_meters"]
    valued = np.full(len(asked), np.nan)
    for month in np.unique(asked["month"]):
        known = sales.assign(level=per_meter)[sales["month"].between(month - MONTHS, month - 1)]
        rows = (asked["month"] == month).to_numpy()
        valued[rows] = _level(known, asked[rows]) * asked.loc[rows, "square_meters"]
    return valued


def _level(known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    level = np.full(len(asked), np.nan)
    for keys in NARROWER:
        median = known.groupby(keys, as_index=False)["level"].median()
        of_like = asked[keys].merge(median, on=keys, how="left", validate="many_to_one")["level"].to_numpy()
        level = np.where(np.isnan(level), of_like, level)
    return np.where(np.isnan(level), known["level"].median(), level)


def linear(recipe: Recipe, learnt: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """Values of `asked` by a ridge regression that learnt from the same sales and inputs as the model of `recipe`."""
    return recipe.linear().prices(learnt, asked)


def untuned(recipe: Recipe, source: Source, features: Features, parameters: Parameters) -> Recipe:
    """LightGBM as it comes, on what is known of a home itself: the recipe that one would begin with.

    Its inputs are attributes, coordinates, the places nearby and the month; nothing that is learnt from other sales
    but the city's index, against which it learns like all the others. Every sale counts the same.
    """
    of_sales = set(feature_columns(source, features)) - set(place_columns(source))
    return replace(
        recipe,
        name="lightgbm",
        parameters=dict(parameters),
        numeric=tuple(name for name in recipe.known if name not in of_sales),
        half_life_months=np.inf,
        incomplete=recipe.incomplete.model_copy(update={"share": 0.0}),
    )
