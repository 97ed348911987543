"""Tuning, training and backtest of short and of uniform registers, with the default parameters."""

import numpy as np
import pytest

from homei.training import backtest, baselines, tune
from homei.training.encoding import columns_of
from homei.training.time_splits import split_holdout, tuning_sales
from homei.training.train import train_models


def thirteen_months(sales):
    return sales[sales["month"] > sales["month"].max() - 13].head(893)


def few_sales(sales):
    """211 sales, none in each sixth month and in the last two."""
    has_sales = (sales["month"] % 6 != 0) & (sales["month"] <= sales["month"].max() - 2)
    return sales[has_sales].iloc[::8].head(211).reset_index(drop=True)


def uniform(sales):
    """One location and type, no coordinates or comparables, a constant attribute and one never known."""
    unknown = sales.filter(regex="^(latitude|longitude|bathrooms|fine_.*|coarse_.*|.*_distance|.*_count)$").columns
    same = {"location": "Hollow Creek", "property_type": "house", "bedrooms": 3.0}
    return sales.assign(**dict.fromkeys(unknown, np.nan), **same)


def half_of_the_areas(sales):
    return sales.assign(square_meters=sales["square_meters"].mask(sales.index % 2 == 0))


def no_areas(sales):
    return sales.assign(square_meters=np.nan)


@pytest.fixture(
    params=[thirteen_months, few_sales, uniform, half_of_the_areas, no_areas], ids=lambda make: make.__name__
)
def sales(request, ready):
    return request.param(ready())


def test_every_step_runs_and_later_sales_lie_within_their_intervals(sections, recipe, sales):
    folds = tune.tuning_folds(tuning_sales(sales, sections.split), sections.tuning)
    study = tune.search(recipe, {"num_leaves": sections.model.search["num_leaves"]}, folds, sections.tuning)
    own = recipe.with_parameters(**tune.tuning_result(study, recipe)["parameters"])
    trained = train_models(sales, own, sections, "data", workers=2)
    _, holdout = split_holdout(sales, sections.split)
    values = trained.holdout.value(columns_of(holdout))
    assert np.median(np.abs(values.price / holdout["price"] - 1)) < 0.5
    assert holdout["price"].between(values.low, values.high).mean() > 0.7
    untuned = baselines.untuned(recipe, sections.city, sections.features, {"n_estimators": 20})
    table = backtest.backtest_predictions(sales, own, untuned, sections, workers=2)
    assert table["price"].between(table["low"], table["high"]).mean() > 0.7
    assert table[["predicted", "untuned", "linear", "naive"]].notna().all(axis=None)
