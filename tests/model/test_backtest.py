"""A backtest knows the past only: the model, its rivals and the intervals of each month."""

import numpy as np
import pandas as pd
import pytest

from homei.features.columns import month_of
from homei.model import backtest, baselines
from homei.model.backtest import RIVALS, periods
from homei.model.intervals import calibrate, conformal_quantile
from homei.model.preprocess import columns_of
from homei.model.recipe import learnable, untested
from homei.model.scope import Scope
from homei.model.split import SplitError
from homei.model.train import out_of_time
from homei.model.valuation import Valuation

MONTHS = 4
OWN = ["predicted", "low", "high", "deviation", "plain_low", "plain_high", *RIVALS]


@pytest.fixture(scope="module")
def last(sections):
    return month_of(sections.source.as_of)


@pytest.fixture(scope="module")
def plain(sections, recipe):
    return baselines.untuned(recipe, sections.source, sections.features, {"n_estimators": 20})


@pytest.fixture(scope="module")
def value(sections, recipe, plain, last):
    def of(sales, workers=2, **settings):
        given = {"refit_months": 1, "calibration_months": 2, **settings}
        split = sections.split.model_copy(update={"tested_months": MONTHS})
        own = sections.backtest.model_copy(update=given)
        return backtest.valued(sales, recipe, plain, last, split, own, 0.9, sections.scope, workers)

    return of


@pytest.fixture(scope="module")
def table(value, ready):
    return value(ready())


def test_every_sale_of_the_tested_months_is_valued_once_by_everyone(table, ready, last):
    asked = ready()[ready()["month"] > last - MONTHS]
    assert table["transaction_id"].tolist() == asked["transaction_id"].tolist()
    assert table["price"].tolist() == asked["price"].tolist()
    assert table[OWN].notna().all(axis=None)
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).all()


@pytest.mark.parametrize("back", [0, 2])
def test_prices_from_a_month_on_move_no_value_up_to_that_month(value, table, ready, last, back):
    sales, month = ready(), last - back
    later = sales["month"] >= month
    sales.loc[later, "price"] = np.random.default_rng(1).permutation(sales.loc[later, "price"])
    moved = value(sales)
    until = table["month"] <= month
    assert moved.loc[until, OWN].equals(table.loc[until, OWN])
    assert back == 0 or not moved.loc[~until, OWN].equals(table.loc[~until, OWN])


def test_however_many_work_the_values_are_the_same(value, table, ready):
    assert value(ready(), workers=1).equals(table)


def test_a_month_is_valued_and_its_interval_calibrated_by_the_months_before_it(sections, recipe, table, ready, last):
    known = learnable(ready(), sections.split)
    month = last - 1

    def of(at):
        return known[known["month"] == at]

    fits = {at: recipe.fit(known[known["month"] < at]) for at in (month - 2, month - 1, month)}
    parts = [out_of_time(fits[at], recipe.with_gaps(of(at).reset_index(drop=True))) for at in (month - 2, month - 1)]
    spread = calibrate(parts, fits[month].encoder, recipe.attributes, 0.9, recipe.seed)
    scope = Scope.learn(columns_of(known[known["month"] < month]), sections.scope)
    scope = scope.measured(parts, fits[month].encoder, spread, 0.9)
    own = Valuation(fits[month], spread, scope, {}).value(columns_of(of(month)))
    found = table[table["month"] == month]
    assert found["predicted"].tolist() == own.price.tolist()
    assert found["low"].tolist() == own.low.tolist()
    assert found["high"].tolist() == own.high.tolist()
    errors = [np.abs(part.residuals[: len(of(at))]) for at, part in zip((month - 2, month - 1), parts, strict=True)]
    reach = np.exp(conformal_quantile(np.concatenate(errors), 0.9))
    assert found["plain_high"].to_numpy() == pytest.approx(own.price * reach, abs=0.02)


def test_rivals_learn_from_the_same_sales_at_the_same_time(sections, recipe, plain, table, ready, last):
    known = learnable(ready(), sections.split)
    learnt, asked = known[known["month"] < last], known[known["month"] == last]
    found = table[table["month"] == last]
    assert found["untuned"].tolist() == plain.prices(learnt, asked).tolist()
    assert found["linear"].tolist() == baselines.linear(recipe, learnt, asked).tolist()
    assert found["naive"].to_numpy() == pytest.approx(baselines.naive(ready(), asked), abs=0.01)


def test_the_untuned_rival_knows_nothing_of_other_sales(sections, plain):
    assert "square_meters" in plain.numeric
    assert not [name for name in plain.numeric if "level" in name or name.startswith(("previous", "market"))]
    assert set(plain.weight(np.array([1, 50, 100]))) == {1.0}


def test_no_choice_is_made_on_a_tested_month(sections, ready, last):
    assert untested(ready(), last, sections.split)["month"].max() == last - sections.split.tested_months


@pytest.mark.parametrize("step", [1, 3, 5])
def test_periods_cover_every_month_once_and_none_is_tested_before_the_first(sections, step):
    settings = sections.backtest.model_copy(update={"refit_months": step, "calibration_months": 6})
    found = periods(112, 12, settings)
    assert [month for period in found for month in range(period.start, period.end)] == list(range(95, 113))
    assert {month for p in found if p.tested for month in range(p.start, p.end)} == set(range(101, 113))
    assert all(period.end - period.start <= step for period in found)


def test_too_few_months_name_what_to_lower(value, ready, last):
    few = ready()[ready()["month"] > last - 11]
    with pytest.raises(SplitError, match=r"no sales to learn from before the backtest.*split\.tested_months"):
        value(few)


def test_a_month_without_sales_has_no_rows_and_stops_nothing(value, ready, last):
    sales = ready()
    found = value(sales[sales["month"] != last - 1], calibration_months=3)
    assert pd.unique(found["month"]).tolist() == [last - 3, last - 2, last]
