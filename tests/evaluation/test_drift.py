"""Drift detection on a small simulated city, with and without a price shift."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.evaluation import drift
from homei.evaluation.config import DriftConfig
from homei.training.config import SplitConfig

CITY = params.source(yaml.safe_load(Path("params/city/demo.yaml").read_text(encoding="utf-8"))).city
SPLIT = SplitConfig(hold_out_months=6, tested_months=12, warm_up_months=6)
SETTINGS = DriftConfig(max_rows=2_000, drifted_share=0.5)
LAST = 2025 * 12 + 11
PLACES = [f"District {number:02d}" for number in range(20)]
SHIFTED = PLACES[3]


def city(change=0.0, larger=1.0, months=36, a_month=150, seed=2):
    """Sales and predictions; in the last six months prices in SHIFTED change and areas are `larger` times as large."""
    random = np.random.default_rng(seed)
    month = np.repeat(np.arange(LAST - months + 1, LAST + 1), a_month)
    n, late = len(month), month > LAST - 6
    place = random.integers(0, len(PLACES), n)
    size = random.normal(80, 20, n).clip(20) * np.where(late, larger, 1.0)
    market = 8 + 0.004 * (month - month[0])
    expected = market + 0.01 * place + np.log(size)
    moved = change * (late & (np.array(PLACES)[place] == SHIFTED))
    price = np.exp(expected + moved + random.normal(0, 0.06, n))
    sales = pd.DataFrame({
        "transaction_id": [f"T{number:05d}" for number in range(n)], "month": month, "price": price,
        "square_meters": size, "property_type": random.choice(["flat", "house"], n),
        "location": np.array(PLACES)[place], "bedrooms": np.nan, "bathrooms": 1.0 + random.integers(0, 3, n),
        "year_built": 1960.0 + random.integers(0, 50, n), "floor": np.where(random.random(n) < 0.1, np.nan, 3.0),
        "latitude": 45 + 0.01 * random.normal(size=n), "longitude": -30 + 0.01 * random.normal(size=n),
        "market_level": np.where(month == month[0], np.nan, market),
    })  # fmt: skip
    # A model trained before the shift.
    predictions = sales[["transaction_id", "month", "price"]].assign(predicted=np.exp(expected))
    return sales, predictions[month > LAST - 18]


def detect_drift(**kwargs):
    return drift.detect_drift(*city(**kwargs), CITY, SPLIT, SETTINGS, seed=7)


@pytest.fixture(scope="module")
def shifted():
    return detect_drift(change=-0.18)


@pytest.fixture(scope="module")
def control():
    return detect_drift()


def test_a_price_shift_in_one_location_is_detected(shifted):
    summary = shifted.summary
    assert summary["drifted"] is True
    assert summary["shifted_locations"] == [SHIFTED]
    worst = summary["locations"][0]
    assert worst["change"] == pytest.approx(np.expm1(-0.18), abs=0.03)
    assert worst["valuation_error"] == pytest.approx(np.expm1(0.18), abs=0.03)
    assert f"{SHIFTED} -1" in summary["verdict"]


def test_no_shift_is_detected_without_one(control):
    summary = control.summary
    assert summary["drifted"] is False
    assert summary["shifted_locations"] == []
    assert not [column["column"] for column in summary["columns"] if column["drifted"]]
    assert summary["verdict"].startswith("No drift: 0 of ")


def test_a_city_of_two_locations_is_said_to_have_too_few_of_them():
    sales, predictions = city(change=-0.18)
    sales["location"] = np.where(sales["location"] == SHIFTED, "West", "East")
    assert drift.compare_locations(drift.compared_sales(sales, predictions, CITY, SPLIT)) == []
    sentence = drift._sentence([{"column": "floor", "drifted": False}], [], is_limit_reached=False)
    assert sentence.endswith("fewer than 3 locations have enough sales to compare their prices.")


def test_drifted_columns_are_named(control):
    summary = detect_drift(larger=1.4).summary
    drifted = {column["column"] for column in summary["columns"] if column["drifted"]}
    assert drifted == {"square_meters"}
    assert summary["drifted"] is False, "one column of many is no drift of the whole"


def test_attributes_price_level_and_error_are_compared(control):
    watched = [column["column"] for column in control.summary["columns"]]
    assert {"square_meters", "year_built", "location", "price_level", "valuation_error"} <= set(watched)
    assert not {"month", "market_level", "price", "age"} & set(watched), "these move by construction"
    assert "bedrooms" not in watched, "nothing is known of them"


def test_every_column_has_method_score_and_threshold(control):
    for column in control.summary["columns"]:
        assert column["drifted"] == (column["score"] >= column["threshold"])
        assert column["method"] == (
            "jensenshannon" if column["column"] in ("property_type", "location") else "wasserstein"
        )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [60, 600])
def test_small_samples_of_one_distribution_score_below_the_threshold(rows, seed):
    random = np.random.default_rng(seed)
    current, reference = pd.Series(random.normal(size=rows)), pd.Series(random.normal(size=4 * rows))
    apart = np.abs(np.quantile(current, np.linspace(0, 1, 999)) - np.quantile(reference, np.linspace(0, 1, 999))).mean()
    assert apart < drift.threshold(current, reference)


def test_large_samples_use_evidentlys_default_threshold():
    numbers, names = pd.Series(np.arange(20_000.0)), pd.Series(["a", "b", "c"] * 7_000)
    assert drift.threshold(numbers, numbers) == drift.THRESHOLD
    assert drift.threshold(names, names) == drift.THRESHOLD


def test_the_threshold_of_errors_allows_for_the_season():
    spread = pd.Series(np.random.default_rng(1).normal(0, 0.06, 20_000), name="valuation_error")
    assert drift.threshold(spread, spread) == pytest.approx(0.02 / 0.06, rel=0.02)


def test_periods_do_not_overlap_and_exclude_the_warm_up(control):
    assert control.summary["reference"] == {"months": ["2023-07", "2025-06"], "rows": 24 * 150}
    assert control.summary["current"] == {"months": ["2025-07", "2025-12"], "rows": 6 * 150}


def test_errors_of_both_periods_are_out_of_time(control):
    errors = control.summary["regression"]
    assert (errors["reference"]["n"], errors["current"]["n"]) == (12 * 150, 6 * 150)
    assert errors["mdape_change"] == pytest.approx(0.0, abs=0.1)


def test_the_summary_is_json_and_the_pages_are_self_contained(shifted):
    assert json.loads(json.dumps(shifted.summary, allow_nan=False)) == shifted.summary
    for html in (shifted.data_html, shifted.regression_html):
        assert html.lstrip().lower().startswith(("<!doctype html", "<html"))
        assert 'src="http' not in html


def test_the_same_seed_gives_the_same_summary(control):
    assert detect_drift().summary == control.summary


def test_the_hold_out_is_the_last_months_with_sales():
    sales, predictions = city()
    until = LAST - 6
    result = drift.compared_sales(sales[sales["month"] <= until], predictions, CITY, SPLIT)
    assert result.current["month"].max() == until
    assert result.reference["month"].max() < result.current["month"].min()
