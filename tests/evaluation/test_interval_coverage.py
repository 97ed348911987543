"""Coverage studies and verdicts on simulated sales with known coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.evaluation.interval_coverage import (
    MARGINS,
    MIN_SALES,
    coverage_band,
    coverage_study,
    coverage_verdicts,
    coverage_without,
    share_interval,
)
from homei.training.baselines import split_conformal

LAST = 2025 * 12 + 11
SIGMA = 0.05
REACH = np.exp(1.645 * SIGMA)


@pytest.fixture
def table():
    """Six months of 400 sales in two locations and a small one, with intervals that cover 90 %."""
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


def verdicts_by_name(study):
    return {verdict["name"]: verdict for verdict in coverage_verdicts(study)}


def narrowed(table, rows):
    """The table with intervals of ± 1 % in `rows`."""
    ends = table.loc[rows, ["predicted", "predicted"]].to_numpy() * [0.99, 1.01]
    table.loc[rows, ["low", "high"]] = ends
    return table


def test_calibrated_intervals_pass_every_verdict(table):
    result = verdicts_by_name(coverage_study(table, 0.9))
    assert list(result) == ["coverage", *(f"coverage_{kind}" for kind in list(MARGINS)[1:]), "interval_width"]
    assert all(verdict["ok"] for verdict in result.values())
    assert result["interval_width"]["value"] == pytest.approx(1 / 1.1, rel=0.01)


def test_each_group_has_its_sales_coverage_and_confidence_interval(table):
    hill = table[table["location"] == "Hill"]
    inside = ((hill["price"] >= hill["low"]) & (hill["price"] <= hill["high"])).mean()
    _, result = coverage_study(table, 0.9)["coverage"]["location"]
    assert (result["value"], result["n"], result["coverage"]) == ("Hill", len(hill), inside)
    assert (result["low"], result["high"]) == share_interval(inside, len(hill))
    assert result["width"] == pytest.approx(2 * np.sinh(np.log(REACH)))


def test_locations_with_few_sales_are_left_out(table):
    assert (table["location"] == "Small").sum() < MIN_SALES["location"]
    assert [group["value"] for group in coverage_study(table, 0.9)["coverage"]["location"]] == ["Dale", "Hill"]
    scattered = table.assign(location=table.index.astype(str))
    assert verdicts_by_name(coverage_study(scattered, 0.9))["coverage_location"]["ok"] is None


@pytest.mark.parametrize(("kind", "rows"), [("month", "2025-09"), ("location", "Hill")])
def test_a_group_outside_its_band_is_named_with_its_coverage(table, kind, rows):
    bad = table["month"] == LAST - 3 if kind == "month" else table["location"] == "Hill"
    result = verdicts_by_name(coverage_study(narrowed(table, bad), 0.9))[f"coverage_{kind}"]
    share = table.loc[bad, "price"].between(table.loc[bad, "low"], table.loc[bad, "high"]).mean()
    assert (result["ok"], result["outside"]) == (False, 1)
    assert f"lies outside: {rows} ({share * 100:.1f} %)." in result["text"]
    assert result["value"] == pytest.approx(share, abs=1e-6)


def test_coverage_at_the_edge_of_the_band_passes_and_beyond_it_fails(table):
    low, _ = coverage_band("overall", 0.9)

    def ok(share):
        inside = np.arange(len(table)) % 100 < round(share * 100)
        ends = {"low": table["price"] * np.where(inside, 0.9, 1.1), "high": table["price"] * 1.2}
        return verdicts_by_name(coverage_study(table.assign(**ends), 0.9))["coverage"]["ok"]

    assert (ok(low), ok(low - 0.01)) == (True, False)


def test_bands_follow_the_nominal_level(table):
    reach = np.exp(1.282 * SIGMA)
    narrower = table.assign(low=table["predicted"] / reach, high=table["predicted"] * reach)
    by_level = {level: verdicts_by_name(coverage_study(narrower, level))["coverage"] for level in (0.8, 0.9)}
    assert (by_level[0.8]["ok"], by_level[0.9]["ok"]) == (True, False)
    assert (by_level[0.8]["low"], by_level[0.8]["high"]) == (0.78, 0.82)
    assert coverage_band("month", 0.97) == (0.91, 1.0)


def test_a_few_sales_do_not_tell_whether_coverage_is_off(table):
    def verdict(n, n_inside):
        few = table.head(n).assign(low=lambda sale: sale["price"] * np.where(np.arange(n) < n_inside, 0.9, 1.1))
        return verdicts_by_name(coverage_study(few.assign(high=few["price"] * 1.2), 0.9))["coverage"]

    assert (verdict(50, 42)["ok"], verdict(50, 25)["ok"], verdict(500, 420)["ok"]) == (None, False, False)
    assert verdict(50, 42)["text"].endswith("There are too few sales to tell.")


def test_a_study_without_any_sale_has_no_verdicts(table):
    study = coverage_without(table, 0.9, ["Hill", "Dale", "Small"])
    assert study["intervals"]["n"] == 0
    assert {verdict["ok"] for verdict in study["verdicts"]} == {None}


def test_intervals_wider_than_split_conformal_fail(table):
    table["plain_low"], table["plain_high"] = table["predicted"] / 1.05, table["predicted"] * 1.05
    result = verdicts_by_name(coverage_study(table, 0.9))["interval_width"]
    assert result["value"] > 1
    assert result["ok"] is False


def test_coverage_without_shifted_locations_excludes_them(table):
    narrowed(table, table["location"] == "Hill")
    study = coverage_without(table, 0.9, ["Hill"])
    assert study["without"] == ["Hill"]
    assert study["intervals"]["n"] == (table["location"] != "Hill").sum()
    assert all(verdict["ok"] for verdict in study["verdicts"])
    assert not verdicts_by_name(coverage_study(table, 0.9))["coverage"]["ok"], "the overall verdict includes all sales"
    assert coverage_without(table, 0.9, [])["intervals"] == coverage_study(table, 0.9)["intervals"]


@given(st.lists(st.floats(-1, 1), min_size=20, max_size=80).map(np.array))
def test_split_conformal_intervals_cover_the_nominal_share_of_their_residuals(residuals):
    value = pd.Series(np.full(len(residuals), 1e6))
    ends = split_conformal(value, residuals, 0.9)
    price = value * np.exp(residuals)
    inside = (price >= ends["plain_low"] - 0.01) & (price <= ends["plain_high"] + 0.01)
    assert inside.mean() >= 0.9


@given(st.integers(1, 5000), st.floats(0, 1))
def test_a_share_interval_contains_the_share_and_shrinks_with_more_sales(n, share):
    low, high = share_interval(share, n)
    assert -1e-12 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1 + 1e-12
    wider = share_interval(share, 4 * n)
    assert high - low > wider[1] - wider[0]
