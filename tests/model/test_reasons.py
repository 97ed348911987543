"""Contributions in money: whatever a model tells, start and amounts are the value to the cent."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from homei.model import reasons
from homei.model.estimators import UnexplainedError
from homei.model.preprocess import columns_of
from homei.model.reasons import Reasons
from homei.model.train import meta
from homei.model.valuation import Valuation

INPUTS = ("a", "b", "c", "d", "e")
logs = arrays(float, (4, len(INPUTS)), elements=st.floats(-1.5, 1.5))
starts = arrays(float, 4, elements=st.floats(5, 15))


def exact(money):
    """Money as it is written: a sum of decimals has no error of its own."""
    return [Decimal(repr(amount)) for amount in np.asarray(money).tolist()]


def value_of(told):
    return np.round(np.exp(told.start + told.added.sum(axis=1)), 2)


@given(start=starts, added=logs)
def test_start_and_amounts_are_the_value_to_the_cent(start, added):
    told = Reasons(INPUTS, start, added)
    value = value_of(told)
    money = told.in_money(value)
    for first, row, total in zip(money.start, money.added, value, strict=True):
        assert sum(exact(row), *exact([first])) == exact([total])[0]
        assert all(amount == round(amount, 2) for amount in exact(row))


@given(start=starts, added=logs)
def test_amounts_depend_on_no_order_and_have_the_sign_of_what_is_added(start, added):
    told, turned = Reasons(INPUTS, start, added), Reasons(INPUTS[::-1], start, added[:, ::-1])
    money, again = (each.in_money(value_of(told)).added for each in (told, turned))
    assert np.allclose(money, again[:, ::-1], atol=0.05, rtol=1e-9)
    assert (money * added >= -0.05 * np.abs(added)).all()


def test_a_gain_of_one_input_is_undone_by_the_same_loss_of_another():
    told = Reasons(("up", "down"), np.log([250_000.0]), np.array([[0.2, -0.2]]))
    assert told.in_money(np.array([250_000.0])).added.tolist() == [[50_000.0, -50_000.0]]


def test_two_inputs_that_double_a_price_together_get_half_of_the_gain_each():
    told = Reasons(("a", "b"), np.log([100_000.0]), np.log([[2.0, 2.0]]) / 2)
    assert told.in_money(np.array([200_000.0])).added.tolist() == [[50_000.0, 50_000.0]]


def test_reasons_of_other_values_are_an_error():
    told = Reasons(("a", "b"), np.log([100_000.0]), np.array([[0.1, 0.2]]))
    with pytest.raises(ArithmeticError, match="add up"):
        told.in_money(np.array([150_000.0]))


def test_inputs_are_told_in_a_readers_words():
    words = {"log_area": "area", "season": "time", "fine_level_12": "place", "station_distance": "place",
             "comparable_level": "comparables", "comparable_distance": "comparables", "floor": "floor",
             "previous_level": "previous_sale", "flat_model": "flat_model"}  # fmt: skip
    assert {name: reasons.feature_of(name) for name in words} == words
    told = Reasons(("log_area", "floor", "square_meters"), np.zeros(1), np.array([[0.5, 0.25, -0.125]])).by_feature()
    assert (told.names, told.added.tolist()) == (("area", "floor"), [[0.375, 0.25]])


def test_the_largest_comes_first_and_equal_ones_by_name():
    assert reasons.by_size(["b", "a", "c"], [1.0, -1.0, 2.0]) == [("c", 2.0), ("a", -1.0), ("b", 1.0)]


@pytest.fixture(scope="module", params=["lightgbm", "linear"])
def valuation(request, sections, recipe, ready):
    """A model of a city in which no price depends on the parks."""
    own = recipe if request.param == "lightgbm" else recipe.linear()
    sales = ready().assign(park_count=3.0)
    fitted = own.fit(sales)
    return Valuation(fitted, None, None, meta(fitted, sales, sections.source, 0.9, "data"))


def test_a_models_reasons_add_up_to_its_values(valuation, ready):
    columns = columns_of(ready(150, seed=8))
    value, told = valuation.fitted.prices(columns), valuation.reasons(columns)
    for each in (told, told.by_feature()):
        assert np.allclose(each.start + each.added.sum(axis=1), valuation.fitted.logs(columns), rtol=0, atol=1e-9)
        money = each.in_money(value)
        assert [sum(exact(row), *exact([first])) for first, row in zip(*money, strict=True)] == exact(value)


def test_one_home_has_the_reasons_that_it_has_in_a_table(valuation, ready):
    columns = columns_of(ready(40, seed=8))
    whole = valuation.reasons(columns)
    for row in range(40):
        alone = valuation.reasons({name: values[row : row + 1] for name, values in columns.items()})
        assert alone.added[0].tolist() == pytest.approx(whole.added[row].tolist(), abs=1e-12)


def test_what_a_model_does_not_use_adds_nothing_and_what_drives_prices_adds_most(valuation, ready):
    told = valuation.reasons(columns_of(ready(150, seed=8).assign(park_count=3.0)))
    size = dict(zip(told.names, told.size().tolist(), strict=True))
    assert size["park_count"] == 0
    assert max(size, key=size.get) == "log_area"
    assert max(set(size) - {"log_area", "square_meters"}, key=size.get) == "location"


def test_the_start_is_a_home_of_typical_area_at_the_citys_level(valuation, ready):
    columns = columns_of(ready(150, seed=8))
    later = valuation.reasons({**columns, "market_level": columns["market_level"] + 0.1})
    told = valuation.reasons(columns)
    assert np.allclose(later.start - told.start, 0.1)
    assert later.added.tolist() == told.added.tolist()
    typical = {**columns, "square_meters": np.full(150, valuation.meta["typical_area"])}
    assert valuation.reasons(typical).start.tolist() == told.start.tolist()


def test_a_kind_that_tells_no_contributions_says_so(sections, recipe, ready):
    sales = ready(300)
    fitted = type(recipe)(**{**vars(recipe), "name": "hist_gradient_boosting", "parameters": {"max_iter": 3}}).fit(
        sales
    )
    model = Valuation(fitted, None, None, meta(fitted, sales, sections.source, 0.9, "data"))
    with pytest.raises(UnexplainedError, match="lightgbm and linear"):
        model.reasons(columns_of(sales))
