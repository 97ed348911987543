"""What is told of a backtest whose errors and intervals are known beforehand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.model.backtest_study import measure

LAST = 2025 * 12 + 11
SIGMA = 0.05
REACH = np.exp(1.645 * SIGMA)


@pytest.fixture
def given(sections):
    return SimpleNamespace(**{**vars(sections), "evaluate": sections.evaluate.model_copy(update={"bootstrap": 40})})


@pytest.fixture(scope="module")
def sales():
    """READY of two years around the table's, in which the prices of Hill fall in the last six months."""
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
    """Twelve months of 250 sales: the system errs by SIGMA, its rivals by more, its intervals hold nine in ten."""
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


def verdicts(measured):
    return {verdict["name"]: verdict for verdict in measured.metrics["verdicts"]}


def test_honest_intervals_and_a_better_model_hold_every_verdict(table, sales, given):
    measured = measure(table, sales, given)
    assert [name for name, verdict in verdicts(measured).items() if not verdict["ok"]] == []
    assert measured.metrics["months_won"] == {"won": 12, "of": 12}
    assert measured.months["month"].tolist()[0] == "2025-01"
    assert list(measured.metrics["pooled"]) == ["model", "untuned", "linear", "naive"]


def test_pooled_and_monthly_errors_are_those_of_the_values(table, sales, given):
    measured = measure(table, sales, given)
    error = (table["predicted"] / table["price"] - 1).abs()
    assert measured.metrics["pooled"]["model"]["mdape"] == pytest.approx(error.median(), abs=1e-6)
    monthly = error.groupby(table["month"]).median().round(6).tolist()
    assert [month["model"]["mdape"] for month in measured.metrics["months"]] == monthly
    assert measured.months["model"].tolist() == monthly


def test_a_rival_that_wins_three_months_is_no_success(table, sales, given):
    late = table["month"] > LAST - 3
    table.loc[late, "untuned"] = table.loc[late, "price"] * 1.001
    measured = measure(table, sales, given)
    assert measured.metrics["months_won"] == {"won": 9, "of": 12}
    assert verdicts(measured)["months_won"]["ok"] is False


def test_coverage_is_told_without_the_districts_whose_prices_left_the_citys(table, sales, given):
    table["location"] = np.where(np.arange(len(table)) % 4 == 0, "Hill", "Large")
    hill = table["location"] == "Hill"
    table.loc[hill, ["low", "high"]] = table.loc[hill, ["predicted", "predicted"]].to_numpy() * [0.99, 1.01]
    measured = measure(table, sales, given)
    found = verdicts(measured)
    assert (found["coverage"]["ok"], found["coverage_location"]["outside"]) == (False, 1)
    steady = measured.metrics["steady"]
    assert steady["without"] == ["Hill"]
    assert steady["intervals"]["n"] == (~hill).sum()
    assert steady["intervals"]["coverage"] == pytest.approx(0.9, abs=0.02)
