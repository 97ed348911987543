"""Model, baselines and intervals of each backtest month depend on earlier sales only."""

import numpy as np
import pandas as pd
import pytest

from homei.features.columns import month_of
from homei.training import backtest, baselines
from homei.training.applicability import Applicability
from homei.training.backtest import BASELINES, periods
from homei.training.encoding import columns_of
from homei.training.intervals import calibrate, conformal_quantile
from homei.training.time_splits import SplitError
from homei.training.train import out_of_time_sales
from homei.training.training_recipe import tuning_sales, usable_sales
from homei.training.valuation_model import ValuationModel

MONTHS = 4
OWN = ["predicted", "low", "high", "deviation", "plain_low", "plain_high", *BASELINES]


@pytest.fixture(scope="module")
def last(sections):
    return month_of(sections.city.as_of)


@pytest.fixture(scope="module")
def plain(sections, recipe):
    return baselines.untuned(recipe, sections.city, sections.features, {"n_estimators": 20})


@pytest.fixture(scope="module")
def value(sections, recipe, plain, last):
    def of(sales, workers=2, **settings):
        given = {"refit_months": 1, "calibration_months": 2, **settings}
        split = sections.split.model_copy(update={"tested_months": MONTHS})
        own = sections.backtest.model_copy(update=given)
        return backtest.backtest_predictions(
            sales, recipe, plain, last, split, own, 0.9, sections.applicability, workers
        )

    return of


@pytest.fixture(scope="module")
def table(value, ready):
    return value(ready())


def test_every_tested_sale_has_one_value_of_each_estimator(table, ready, last):
    test = ready()[ready()["month"] > last - MONTHS]
    assert table["transaction_id"].tolist() == test["transaction_id"].tolist()
    assert table["price"].tolist() == test["price"].tolist()
    assert table[OWN].notna().all(axis=None)
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).all()


@pytest.mark.parametrize("back", [0, 2])
def test_prices_from_a_month_on_change_no_value_up_to_that_month(value, table, ready, last, back):
    sales, month = ready(), last - back
    later = sales["month"] >= month
    sales.loc[later, "price"] = np.random.default_rng(1).permutation(sales.loc[later, "price"])
    moved = value(sales)
    until = table["month"] <= month
    assert moved.loc[until, OWN].equals(table.loc[until, OWN])
    assert back == 0 or not moved.loc[~until, OWN].equals(table.loc[~until, OWN])


def test_values_do_not_depend_on_the_number_of_workers(value, table, ready):
    assert value(ready(), workers=1).equals(table)


def test_values_and_intervals_of_a_month_use_the_months_before_it(sections, recipe, table, ready, last):
    known = usable_sales(ready(), sections.split)
    month = last - 1

    def of(at):
        return known[known["month"] == at]

    fits = {at: recipe.fit(known[known["month"] < at]) for at in (month - 2, month - 1, month)}
    parts = [
        out_of_time_sales(fits[at], recipe.with_masked_copies(of(at).reset_index(drop=True)))
        for at in (month - 2, month - 1)
    ]
    spread = calibrate(parts, fits[month].encoder, recipe.attributes, 0.9, recipe.seed)
    scope = Applicability.fit(columns_of(known[known["month"] < month]), sections.applicability)
    scope = scope.calibrated(parts, fits[month].encoder, spread, 0.9)
    own = ValuationModel(fits[month], spread, scope, {}).value(columns_of(of(month)))
    result = table[table["month"] == month]
    assert result["predicted"].tolist() == own.price.tolist()
    assert result["low"].tolist() == own.low.tolist()
    assert result["high"].tolist() == own.high.tolist()
    errors = [np.abs(part.residuals[: len(of(at))]) for at, part in zip((month - 2, month - 1), parts, strict=True)]
    reach = np.exp(conformal_quantile(np.concatenate(errors), 0.9))
    assert result["plain_high"].to_numpy() == pytest.approx(own.price * reach, abs=0.02)


def test_baselines_are_trained_on_the_same_sales(sections, recipe, plain, table, ready, last):
    known = usable_sales(ready(), sections.split)
    training, test = known[known["month"] < last], known[known["month"] == last]
    result = table[table["month"] == last]
    assert result["untuned"].tolist() == plain.prices(training, test).tolist()
    assert result["linear"].tolist() == baselines.linear(recipe, training, test).tolist()
    assert result["naive"].to_numpy() == pytest.approx(baselines.naive(ready(), test), abs=0.01)


def test_the_untuned_baseline_has_no_features_of_other_sales(sections, plain):
    assert "square_meters" in plain.numeric
    assert not [name for name in plain.numeric if "level" in name or name.startswith(("previous", "market"))]
    assert set(plain.weight(np.array([1, 50, 100]))) == {1.0}


def test_tuning_uses_no_tested_month(sections, ready, last):
    assert tuning_sales(ready(), last, sections.split)["month"].max() == last - sections.split.tested_months


@pytest.mark.parametrize("step", [1, 3, 5])
def test_periods_cover_every_month_once_and_none_is_tested_before_the_first(sections, step):
    settings = sections.backtest.model_copy(update={"refit_months": step, "calibration_months": 6})
    result = periods(112, 12, settings)
    assert [month for period in result for month in range(period.start, period.end)] == list(range(95, 113))
    assert {month for p in result if p.is_tested for month in range(p.start, p.end)} == set(range(101, 113))
    assert all(period.end - period.start <= step for period in result)


def test_the_error_for_too_few_months_names_parameters(value, ready, last):
    few = ready()[ready()["month"] > last - 11]
    with pytest.raises(SplitError, match=r"no sales to train on before the backtest.*split\.tested_months"):
        value(few)


def test_a_month_without_sales_has_no_rows(value, ready, last):
    sales = ready()
    result = value(sales[sales["month"] != last - 1], calibration_months=3)
    assert pd.unique(result["month"]).tolist() == [last - 3, last - 2, last]
