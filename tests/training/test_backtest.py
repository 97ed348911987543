"""Model, baselines and intervals of each backtest month depend on earlier sales only."""

import numpy as np
import pandas as pd
import pytest
from model_fixtures import changed

from homei.features.columns import month_of
from homei.training import backtest, baselines
from homei.training.applicability import Applicability
from homei.training.backtest import BASELINES, periods
from homei.training.encoding import columns_of
from homei.training.intervals import calibrate, conformal_quantile
from homei.training.time_splits import TimeSplit, tuning_sales, usable_sales
from homei.training.train import out_of_time_sales
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
def value(sections, recipe, plain):
    def of(sales, workers=2, **settings):
        lengths = {"refit_months": 1, "calibration_months": 2, **settings}
        p = changed(sections, split={"tested_months": MONTHS}, backtest=lengths)
        return backtest.backtest_predictions(sales, recipe, plain, p, workers)

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
    usable = usable_sales(ready(), sections.split)
    month = last - 1

    def of(at):
        return usable[usable["month"] == at]

    fits = {at: recipe.fit(usable[usable["month"] < at]) for at in (month - 2, month - 1, month)}
    parts = [
        out_of_time_sales(fits[at], recipe.with_masked_copies(of(at).reset_index(drop=True)))
        for at in (month - 2, month - 1)
    ]
    spread = calibrate(parts, fits[month].encoder, recipe.attributes, 0.9, recipe.seed)
    before = (table[table["month"] < month] for table in (usable, ready()))
    limits = Applicability.fit(*map(columns_of, before), sections.applicability)
    limits = limits.calibrated(parts, fits[month].encoder, spread, 0.9)
    expected = ValuationModel(fits[month], spread, limits, {}).value(columns_of(of(month)))
    result = table[table["month"] == month]
    assert result["predicted"].tolist() == expected.price.tolist()
    assert result["low"].tolist() == expected.low.tolist()
    assert result["high"].tolist() == expected.high.tolist()
    errors = [np.abs(part.residuals[: len(of(at))]) for at, part in zip((month - 2, month - 1), parts, strict=True)]
    factor = np.exp(conformal_quantile(np.concatenate(errors), 0.9))
    assert result["plain_high"].to_numpy() == pytest.approx(expected.price * factor, abs=0.02)


def test_baselines_are_trained_on_the_same_sales(sections, recipe, plain, table, ready, last):
    usable = usable_sales(ready(), sections.split)
    training, test = usable[usable["month"] < last], usable[usable["month"] == last]
    result = table[table["month"] == last]
    assert result["untuned"].tolist() == plain.prices(training, test).tolist()
    assert result["linear"].tolist() == baselines.linear(recipe, training, test).tolist()
    assert result["naive"].to_numpy() == pytest.approx(baselines.naive(ready(), test), abs=0.01)


def test_the_untuned_baseline_has_no_features_of_other_sales(sections, plain):
    assert "square_meters" in plain.numeric
    assert not [name for name in plain.numeric if "level" in name or name.startswith(("previous", "market"))]
    assert set(plain.weight(np.array([1, 50, 100]))) == {1.0}


def test_tuning_uses_no_tested_month(sections, ready, last):
    assert tuning_sales(ready(), sections.split)["month"].max() == last - sections.split.tested_months


@pytest.mark.parametrize("step", [1, 3, 5])
def test_periods_cover_every_month_once_and_none_is_tested_before_the_first(sections, step):
    result = periods(TimeSplit.plan(np.repeat(np.arange(70, 113), 2), sections.split), 6, step)
    assert [month for period in result for month in period.months] == list(range(95, 113))
    assert {month for period in result if period.is_tested for month in period.months} == set(range(101, 113))
    assert all(len(period.months) <= step for period in result)


def test_months_without_sales_are_not_counted(value, ready, last):
    sales = ready()
    result = value(sales[sales["month"] != last - 1], calibration_months=3)
    assert pd.unique(result["month"]).tolist() == [last - 4, last - 3, last - 2, last]


@pytest.mark.parametrize("n_months", [6, 13])
def test_a_short_history_is_tested_on_two_fifths_of_its_months(value, ready, last, n_months):
    sales = ready()
    result = value(sales[sales["month"] > last - n_months], calibration_months=6, workers=1)
    n_tested = {6: 2, 13: 4}[n_months]
    assert pd.unique(result["month"]).tolist() == list(range(last - n_tested + 1, last + 1))
    assert result[OWN].notna().all(axis=None)
