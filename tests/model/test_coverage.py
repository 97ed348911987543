"""What intervals are told to hold, on sales whose coverage is known beforehand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.model.coverage import (
    BANDS,
    SMALLEST,
    coverage_study,
    coverage_verdicts,
    share_interval,
    split_conformal,
    steady_study,
)

LAST = 2025 * 12 + 11
SIGMA = 0.05
REACH = np.exp(1.645 * SIGMA)


@pytest.fixture
def table():
    """Six months of 400 sales in two districts and a small one, with intervals that hold nine in ten."""
    random = np.random.default_rng(5)
    month = np.repeat(np.arange(LAST - 5, LAST + 1), 400)
    price = np.exp(random.normal(12.5, 0.3, len(month)))
    value = price * np.exp(random.normal(0, SIGMA, len(month)))
    place = np.arange(len(month)) % 30
    return pd.DataFrame({
        "month": month, "price": price, "predicted": value, "low": value / REACH, "high": value * REACH,
        "location": np.select([place == 0, place < 10], ["Small", "Hill"], "Dale"),
        "plain_low": value / REACH**1.1, "plain_high": value * REACH**1.1,
    })  # fmt: skip


def told(study):
    return {verdict["name"]: verdict for verdict in coverage_verdicts(study)}


def narrowed(table, rows):
    """The same with intervals of 1 % either way in `rows`."""
    ends = table.loc[rows, ["predicted", "predicted"]].to_numpy() * [0.99, 1.01]
    table.loc[rows, ["low", "high"]] = ends
    return table


def test_honest_intervals_hold_every_verdict(table):
    found = told(coverage_study(table, 0.9))
    assert list(found) == ["coverage", *(f"coverage_{kind}" for kind in list(BANDS)[1:]), "interval_width"]
    assert all(verdict["ok"] for verdict in found.values())
    assert found["interval_width"]["value"] == pytest.approx(1 / 1.1, rel=0.01)


def test_each_group_is_told_with_its_sales_its_coverage_and_the_interval_of_chance(table):
    hill = table[table["location"] == "Hill"]
    inside = ((hill["price"] >= hill["low"]) & (hill["price"] <= hill["high"])).mean()
    _, found = coverage_study(table, 0.9)["coverage"]["location"]
    assert (found["value"], found["n"], found["coverage"]) == ("Hill", len(hill), inside)
    assert (found["low"], found["high"]) == share_interval(inside, len(hill))
    assert found["width"] == pytest.approx(2 * np.sinh(np.log(REACH)))


def test_districts_of_few_sales_are_not_judged(table):
    assert (table["location"] == "Small").sum() < SMALLEST
    assert [group["value"] for group in coverage_study(table, 0.9)["coverage"]["location"]] == ["Dale", "Hill"]
    scattered = table.assign(location=table.index.astype(str))
    assert told(coverage_study(scattered, 0.9))["coverage_location"]["ok"] is None


@pytest.mark.parametrize(("kind", "rows"), [("month", "2025-09"), ("location", "Hill")])
def test_a_group_whose_prices_leave_their_intervals_is_named_with_its_share(table, kind, rows):
    bad = table["month"] == LAST - 3 if kind == "month" else table["location"] == "Hill"
    found = told(coverage_study(narrowed(table, bad), 0.9))[f"coverage_{kind}"]
    share = table.loc[bad, "price"].between(table.loc[bad, "low"], table.loc[bad, "high"]).mean()
    assert (found["ok"], found["outside"]) == (False, 1)
    assert f"lies outside: {rows} ({share * 100:.1f} %)." in found["text"]
    assert found["value"] == pytest.approx(share, abs=1e-6)


def test_coverage_at_the_edge_of_its_band_is_told_from_beyond_it(table):
    low, _ = BANDS["overall"]

    def ok(share):
        inside = np.arange(len(table)) % 100 < round(share * 100)
        ends = {"low": table["price"] * np.where(inside, 0.9, 1.1), "high": table["price"] * 1.2}
        return told(coverage_study(table.assign(**ends), 0.9))["coverage"]["ok"]

    assert (ok(low), ok(low - 0.01)) == (True, False)


def test_wider_than_plain_intervals_fail(table):
    table["plain_low"], table["plain_high"] = table["predicted"] / 1.05, table["predicted"] * 1.05
    found = told(coverage_study(table, 0.9))["interval_width"]
    assert found["value"] > 1
    assert found["ok"] is False


def test_where_prices_kept_pace_is_told_apart_from_where_they_did_not(table):
    narrowed(table, table["location"] == "Hill")
    study = steady_study(table, 0.9, ["Hill"])
    assert study["without"] == ["Hill"]
    assert study["intervals"]["n"] == (table["location"] != "Hill").sum()
    assert all(verdict["ok"] for verdict in study["verdicts"])
    assert not told(coverage_study(table, 0.9))["coverage"]["ok"], "what is left out there is still told overall"
    assert steady_study(table, 0.9, [])["intervals"] == coverage_study(table, 0.9)["intervals"]


@given(st.lists(st.floats(-1, 1), min_size=20, max_size=80).map(np.array))
def test_plain_intervals_hold_the_promised_share_of_the_residuals_that_made_them(residuals):
    value = pd.Series(np.full(len(residuals), 1e6))
    ends = split_conformal(value, residuals, 0.9)
    price = value * np.exp(residuals)
    inside = (price >= ends["plain_low"] - 0.01) & (price <= ends["plain_high"] + 0.01)
    assert inside.mean() >= 0.9


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_interval_of_a_share_holds_it_and_shrinks_with_more_sales(n, share):
    low, high = share_interval(share, n)
    assert -1e-12 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1 + 1e-12
    wider = share_interval(share, 4 * n)
    assert high - low > wider[1] - wider[0]
