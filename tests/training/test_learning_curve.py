"""Costs about 3 CPU seconds."""

import numpy as np
import pytest

from homei.features.columns import month_of
from homei.training.learning_curve import curve_row, learning_curve


@pytest.fixture(scope="module")
def parts(sections, ready):
    sales = ready()
    is_holdout = sales["month"] > month_of(sections.city.as_of) - 6
    return sales[~is_holdout], sales[is_holdout]


def test_the_curve_has_a_row_for_each_size_below_the_number_of_sales(parts, recipe):
    curve = learning_curve(*parts, [10**6, 200, 100], recipe)
    assert curve["n_sales"].tolist() == [100, 200]
    assert (curve["low"] <= curve["mdape"]).all()
    assert (curve["mdape"] <= curve["high"]).all()


def test_the_curve_does_not_depend_on_the_order_of_the_sales_or_the_workers(parts, recipe):
    before, holdout = parts
    curve = learning_curve(before, holdout, [150], recipe)
    shuffled = learning_curve(before.sample(frac=1, random_state=3).sort_values("month"), holdout, [150], recipe, 2)
    assert shuffled["mdape"].to_numpy() == pytest.approx(curve["mdape"].to_numpy(), abs=0.002)


def test_a_curve_without_smaller_sizes_is_empty(parts, recipe):
    assert learning_curve(*parts, [10**6], recipe).empty


def test_the_interval_of_a_median_has_its_nominal_coverage():
    rng = np.random.default_rng(1)
    rows = [curve_row(1, np.exp(rng.normal(0, 0.1, 200)), np.ones(200)) for _ in range(400)]
    truth = 0.1 * 0.6745
    covered = np.mean([row["low"] <= truth <= row["high"] for row in rows])
    assert 0.90 < covered < 0.99
