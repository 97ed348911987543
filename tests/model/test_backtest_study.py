"""What is told of a backtest whose errors and intervals are known beforehand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.model.backtest_study import BANDS, SMALLEST, measure

LAST = 2025 * 12 + 11
SIGMA = 0.05
REACH = np.exp(1.645 * SIGMA)


@pytest.fixture
def given(sections):
    return SimpleNamespace(**{**vars(sections), "evaluate": sections.evaluate.model_copy(update={"bootstrap": 40})})


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


def test_honest_intervals_and_a_better_model_hold_every_verdict(table, given):
    measured = measure(table, given)
    assert [name for name, verdict in verdicts(measured).items() if not verdict["ok"]] == []
    assert measured.metrics["months_won"] == {"won": 12, "of": 12}
    assert measured.months["month"].tolist()[0] == "2025-01"
    assert list(measured.metrics["pooled"]) == ["model", "untuned", "linear", "naive"]


def test_pooled_and_monthly_errors_are_those_of_the_values(table, given):
    measured = measure(table, given)
    error = (table["predicted"] / table["price"] - 1).abs()
    assert measured.metrics["pooled"]["model"]["mdape"] == pytest.approx(error.median(), abs=1e-6)
    monthly = error.groupby(table["month"]).median().round(6).tolist()
    assert [month["model"]["mdape"] for month in measured.metrics["months"]] == monthly
    assert measured.months["model"].tolist() == monthly


def test_a_month_whose_prices_leave_their_intervals_is_named(table, given):
    bad = table["month"] == LAST - 3
    table.loc[bad, ["low", "high"]] = table.loc[bad, ["predicted", "predicted"]].to_numpy() * [0.99, 1.01]
    found = verdicts(measure(table, given))["coverage_month"]
    assert (found["ok"], found["outside"]) == (False, 1)
    assert "2025-09" in found["text"]


def test_a_rival_that_wins_three_months_is_no_success(table, given):
    late = table["month"] > LAST - 3
    table.loc[late, "untuned"] = table.loc[late, "price"] * 1.001
    measured = measure(table, given)
    assert measured.metrics["months_won"] == {"won": 9, "of": 12}
    assert verdicts(measured)["months_won"]["ok"] is False


def test_wider_than_plain_intervals_fail(table, given):
    table["plain_low"], table["plain_high"] = table["predicted"] / 1.05, table["predicted"] * 1.05
    found = verdicts(measure(table, given))["interval_width"]
    assert found["value"] > 1
    assert found["ok"] is False


def test_districts_of_few_sales_are_not_judged(table, given):
    assert (table["location"] == "Small").sum() < SMALLEST
    assert [group["value"] for group in measure(table, given).metrics["coverage"]["location"]] == ["Large"]
    small = verdicts(measure(table.assign(location=table["transaction_id"]), given))["coverage_location"]
    assert small["ok"] is None


def test_coverage_at_the_edge_of_its_band_is_told_from_beyond_it(table, given):
    low, _ = BANDS["overall"]
    inside = np.arange(len(table)) % 100 < low * 100 - 1
    table["low"], table["high"] = table["price"] * np.where(inside, 0.9, 1.1), table["price"] * 1.2
    assert verdicts(measure(table, given))["coverage"]["ok"] is False
