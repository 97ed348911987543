import numpy as np
import pytest
from model_fixtures import changed

from homei.features.columns import numeric_inputs
from homei.training.encoding import columns_of
from homei.training.time_splits import split_holdout, usable_sales
from homei.training.training_recipe import Recipe


def test_excluded_features_are_inputs_of_the_linear_baseline_only(sections):
    features = numeric_inputs(sections.city, sections.features)
    everything = changed(sections, train={"excluded_features": []})
    assert Recipe.from_config(everything).numeric == tuple(features)
    assert "previous_level" in features
    own = Recipe.from_config(sections)
    assert not {"location_level_3", "market_change_3"} & set(own.numeric)
    # The demo city's register names each property.
    inputs = {"previous_level", "previous_months", "square_meters", "latitude", "station_distance", "station_count"}
    assert inputs <= set(own.numeric)
    assert own.linear().numeric == tuple(features)


def test_weights_halve_every_half_life(recipe):
    last = 24_311
    ages = np.array([0, recipe.half_life_months, 2 * recipe.half_life_months])
    assert recipe.weight(last - ages).tolist() == [1, 0.5, 0.25]


def test_usable_sales_have_a_market_level_and_lie_after_the_warm_up(sections, ready):
    sales = ready(300)
    sales.loc[sales.index[-1], "market_level"] = np.nan
    usable = usable_sales(sales, sections.split)
    assert usable["month"].min() == sales["month"].min() + sections.split.warm_up_months
    assert usable["market_level"].notna().all()
    before, holdout = split_holdout(sales, sections.split)
    assert before["month"].max() < holdout["month"].min()
    assert len(before) + len(holdout) == len(usable)


def test_values_are_near_the_prices_paid(recipe, ready):
    sales = ready()
    before, after = sales[sales["month"] < sales["month"].max()], sales[sales["month"] == sales["month"].max()]
    ratio = recipe.prices(before, after) / after["price"]
    assert np.median(np.abs(ratio - 1)) < 0.12
    fitted = recipe.fit(before)
    assert fitted.prices(columns_of(after)) == pytest.approx(ratio * after["price"], abs=0.005)
