"""Evaluation of a simulated backtest with known errors and intervals."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.evaluation.backtest_study import evaluate_backtest

LAST = 2025 * 12 + 11
SIGMA = 0.05
REACH = np.exp(1.645 * SIGMA)


@pytest.fixture
def given(sections):
    return SimpleNamespace(**{**vars(sections), "evaluate": sections.evaluate.model_copy(update={"bootstrap": 40})})


@pytest.fixture(scope="module")
def sales():
    """Two years of sales, in which the prices of Hill fall in the last six months."""
    random = np.random.default_rng(4)
    month = np.repeat(np.arange(LAST - 23, LAST + 1), 60)
    n = len(month)
    location = np.array(["Small", "Large", "Hill", "Dale"])[np.arange(n) % 4]
    fallen = np.where((location == "Hill") & (month > LAST - 6), 0.7, 1.0)
    known = dict.fromkeys(("bedrooms", "bathrooms", "floor", "latitude", "longitude", "year_built"), 1.0)
    return pd.DataFrame({
        "transaction_id": [f"S{number}" for number in range(n)], "month": month, "location": location,
        "square_meters": 80.0, "property_type": "flat", "heating": "gas", "market_level": 8.0, **known,
        "price": 80 * np.exp(8 + random.normal(0, 0.05, n)) * fallen,
    })  # fmt: skip


@pytest.fixture
def table():
    """Twelve months of 250 sales: the model's error is SIGMA, the baselines' larger, the intervals cover 90 %."""
    random = np.random.default_rng(5)
    month = np.repeat(np.arange(LAST - 11, LAST + 1), 250)
    price = np.exp(random.normal(12.5, 0.3, len(month)))

    def off(sigma):
        return price * np.exp(random.normal(0, sigma, len(month)))

    value = off(SIGMA)
    return pd.DataFrame({
        "transaction_id": [f"T{number}" for number in range(len(month))], "month": month,
        "location": np.where(np.arange(len(month)) % 40 == 0, "Small", "Large"), "price": price,
        "predicted": value, "low": value / REACH, "high": value * REACH, "deviation": SIGMA,
        "plain_low": value / REACH**1.1, "plain_high": value * REACH**1.1,
        "untuned": off(0.07), "linear": off(0.09), "naive": off(0.15),
    })  # fmt: skip


def verdicts(result):
    return {verdict["name"]: verdict for verdict in result.metrics["verdicts"]}


def test_a_better_model_with_calibrated_intervals_passes_every_verdict(table, sales, given):
    result = evaluate_backtest(table, sales, given)
    assert [name for name, verdict in verdicts(result).items() if not verdict["ok"]] == []
    assert result.metrics["months_won"] == {"won": 12, "of": 12}
    assert result.months["month"].tolist()[0] == "2025-01"
    assert list(result.metrics["pooled"]) == ["model", "untuned", "linear", "naive"]


def test_pooled_and_monthly_errors_are_computed_from_the_values(table, sales, given):
    result = evaluate_backtest(table, sales, given)
    error = (table["predicted"] / table["price"] - 1).abs()
    assert result.metrics["pooled"]["model"]["mdape"] == pytest.approx(error.median(), abs=1e-6)
    monthly = error.groupby(table["month"]).median().round(6).tolist()
    assert [month["model"]["mdape"] for month in result.metrics["months"]] == monthly
    assert result.months["model"].tolist() == monthly


def test_losing_three_months_to_a_baseline_fails(table, sales, given):
    late = table["month"] > LAST - 3
    table.loc[late, "untuned"] = table.loc[late, "price"] * 1.001
    result = evaluate_backtest(table, sales, given)
    assert result.metrics["months_won"] == {"won": 9, "of": 12}
    assert verdicts(result)["months_won"]["ok"] is False


def test_coverage_is_also_reported_without_shifted_locations(table, sales, given):
    table["location"] = np.where(np.arange(len(table)) % 4 == 0, "Hill", "Large")
    hill = table["location"] == "Hill"
    table.loc[hill, ["low", "high"]] = table.loc[hill, ["predicted", "predicted"]].to_numpy() * [0.99, 1.01]
    result = evaluate_backtest(table, sales, given)
    by_name = verdicts(result)
    assert (by_name["coverage"]["ok"], by_name["coverage_location"]["outside"]) == (False, 1)
    steady = result.metrics["steady"]
    assert steady["without"] == ["Hill"]
    assert steady["intervals"]["n"] == (~hill).sum()
    assert steady["intervals"]["coverage"] == pytest.approx(0.9, abs=0.02)
