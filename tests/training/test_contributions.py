"""Contributions in money: the baseline and the amounts equal the value to the cent."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from homei.training import contributions
from homei.training.contributions import Contributions
from homei.training.encoding import columns_of
from homei.training.estimators import UnexplainedError
from homei.training.train import model_metadata
from homei.training.valuation_model import ValuationModel

INPUTS = ("a", "b", "c", "d", "e")
logs = arrays(float, (4, len(INPUTS)), elements=st.floats(-1.5, 1.5))
starts = arrays(float, 4, elements=st.floats(5, 15))


def exact(money):
    """Money as a decimal, whose sums have no rounding errors."""
    return [Decimal(repr(amount)) for amount in np.asarray(money).tolist()]


def value_of(result):
    return np.round(np.exp(result.baseline + result.effects.sum(axis=1)), 2)


@given(start=starts, added=logs)
def test_baseline_and_amounts_equal_the_value_to_the_cent(start, added):
    result = Contributions(INPUTS, start, added)
    value = value_of(result)
    money = result.in_money(value)
    for first, row, total in zip(money.baseline, money.amounts, value, strict=True):
        assert sum(exact(row), *exact([first])) == exact([total])[0]
        assert all(amount == round(amount, 2) for amount in exact(row))


@given(start=starts, added=logs)
def test_amounts_do_not_depend_on_the_order_and_have_the_sign_of_their_effects(start, added):
    result, reordered = Contributions(INPUTS, start, added), Contributions(INPUTS[::-1], start, added[:, ::-1])
    money, repeated = (each.in_money(value_of(result)).amounts for each in (result, reordered))
    assert np.allclose(money, repeated[:, ::-1], atol=0.05, rtol=1e-9)
    assert (money * added >= -0.05 * np.abs(added)).all()


def test_equal_gains_and_losses_cancel():
    result = Contributions(("up", "down"), np.log([250_000.0]), np.array([[0.2, -0.2]]))
    assert result.in_money(np.array([250_000.0])).amounts.tolist() == [[50_000.0, -50_000.0]]


def test_equal_effects_get_equal_amounts():
    result = Contributions(("a", "b"), np.log([100_000.0]), np.log([[2.0, 2.0]]) / 2)
    assert result.in_money(np.array([200_000.0])).amounts.tolist() == [[50_000.0, 50_000.0]]


def test_contributions_to_other_values_raise_an_error():
    result = Contributions(("a", "b"), np.log([100_000.0]), np.array([[0.1, 0.2]]))
    with pytest.raises(ArithmeticError, match="add up"):
        result.in_money(np.array([150_000.0]))


def test_inputs_are_grouped_by_feature():
    words = {"log_area": "area", "season": "time", "fine_level_12": "place", "station_distance": "place",
             "comparable_level": "comparables", "comparable_distance": "comparables", "floor": "floor",
             "previous_level": "previous_sale", "flat_model": "flat_model"}  # fmt: skip
    assert {name: contributions.feature_of(name) for name in words} == words
    result = Contributions(
        ("log_area", "floor", "square_meters"), np.zeros(1), np.array([[0.5, 0.25, -0.125]])
    ).by_feature()
    assert (result.names, result.effects.tolist()) == (("area", "floor"), [[0.375, 0.25]])


def test_contributions_are_sorted_by_size_then_name():
    assert contributions.sorted_by_size(["b", "a", "c"], [1.0, -1.0, 2.0]) == [("c", 2.0), ("a", -1.0), ("b", 1.0)]


@pytest.fixture(scope="module", params=["lightgbm", "linear"])
def valuation(request, sections, recipe, ready):
    """A model of a city in which prices do not depend on parks."""
    own = recipe if request.param == "lightgbm" else recipe.linear()
    sales = ready().assign(park_count=3.0)
    fitted = own.fit(sales)
    return ValuationModel(fitted, None, None, model_metadata(fitted, sales))


def test_contributions_add_up_to_the_values(valuation, ready):
    columns = columns_of(ready(150, seed=8))
    value, result = valuation.fitted.prices(columns), valuation.contributions(columns)
    for each in (result, result.by_feature()):
        assert np.allclose(
            each.baseline + each.effects.sum(axis=1), valuation.fitted.log_values(columns), rtol=0, atol=1e-9
        )
        money = each.in_money(value)
        assert [sum(exact(row), *exact([first])) for first, row in zip(*money, strict=True)] == exact(value)


def test_a_single_property_has_the_same_contributions_as_in_a_batch(valuation, ready):
    columns = columns_of(ready(40, seed=8))
    batch = valuation.contributions(columns)
    for row in range(40):
        single = valuation.contributions({name: values[row : row + 1] for name, values in columns.items()})
        assert single.effects[0].tolist() == pytest.approx(batch.effects[row].tolist(), abs=1e-12)


def test_unused_inputs_have_no_effect_and_price_drivers_the_largest(valuation, ready):
    result = valuation.contributions(columns_of(ready(150, seed=8).assign(park_count=3.0)))
    size = dict(zip(result.names, result.mean_effect().tolist(), strict=True))
    assert size["park_count"] == 0
    assert max(size, key=size.get) == "log_area"
    assert max(set(size) - {"log_area", "square_meters"}, key=size.get) == "location"


def test_the_baseline_is_a_property_of_typical_area_at_the_market_level(valuation, ready):
    columns = columns_of(ready(150, seed=8))
    later = valuation.contributions({**columns, "market_level": columns["market_level"] + 0.1})
    result = valuation.contributions(columns)
    assert np.allclose(later.baseline - result.baseline, 0.1)
    assert later.effects.tolist() == result.effects.tolist()
    typical = {**columns, "square_meters": np.full(150, valuation.meta["typical_area"])}
    assert valuation.contributions(typical).baseline.tolist() == result.baseline.tolist()


def test_a_model_without_contributions_raises_an_error(sections, recipe, ready):
    sales = ready(300)
    fitted = type(recipe)(**{**vars(recipe), "name": "hist_gradient_boosting", "parameters": {"max_iter": 3}}).fit(
        sales
    )
    model = ValuationModel(fitted, None, None, model_metadata(fitted, sales))
    with pytest.raises(UnexplainedError, match="lightgbm or linear"):
        model.contributions(columns_of(sales))
