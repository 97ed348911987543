import numpy as np
import pytest

from homei.features.columns import month_of, numeric_inputs
from homei.model.preprocess import columns_of
from homei.model.recipe import Recipe, before_and_held, learnable


def test_features_that_are_left_out_are_no_inputs_but_the_linear_rival_has_them(sections, recipe):
    known = numeric_inputs(sections.source, sections.features)
    everything = sections.train.model_copy(update={"left_out": []})
    assert Recipe.of(1, sections.source, sections.features, sections.model, everything).numeric == tuple(known)
    assert "previous_level" in known
    assert not {"previous_level", "previous_months", "location_level_3", "market_change_3"} & set(recipe.numeric)
    assert {"square_meters", "latitude", "station_distance", "station_count"} <= set(recipe.numeric)
    assert recipe.linear().numeric == tuple(known)


def test_a_sale_counts_half_when_it_is_half_life_months_older(recipe):
    last = 24_311
    ages = np.array([0, recipe.half_life_months, 2 * recipe.half_life_months])
    assert recipe.weight(last - ages).tolist() == [1, 0.5, 0.25]


def test_learnable_sales_have_a_market_level_and_lie_after_the_warm_up(sections, ready):
    sales = ready(300)
    sales.loc[sales.index[-1], "market_level"] = np.nan
    known = learnable(sales, sections.split)
    assert known["month"].min() == sales["month"].min() + sections.split.warm_up_months
    assert known["market_level"].notna().all()
    before, held = before_and_held(sales, month_of(sections.source.as_of), sections.split)
    assert before["month"].max() < held["month"].min()
    assert len(before) + len(held) == len(known)


def test_prices_are_in_money_and_near_what_was_paid(recipe, ready):
    sales = ready()
    before, after = sales[sales["month"] < sales["month"].max()], sales[sales["month"] == sales["month"].max()]
    ratio = recipe.prices(before, after) / after["price"]
    assert np.median(np.abs(ratio - 1)) < 0.12
    fitted = recipe.fit(before)
    assert fitted.prices(columns_of(after)) == pytest.approx(ratio * after["price"], abs=0.005)
