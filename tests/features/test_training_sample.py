"""Costs about 3 CPU seconds beside the shared Spark session."""

import numpy as np
import pandas as pd
import pytest

from homei.features.training_sample import MIN_PER_STRATUM, sampling_rate, training_sample


@pytest.fixture(scope="module")
def sales():
    """4,000 sales of two large places and one with twelve sales."""
    places = np.repeat(["North", "South", "Hamlet"], [2500, 1488, 12])
    ids = [f"t{number}" for number in range(len(places))]
    return pd.DataFrame({"transaction_id": ids, "location": places, "property_type": "flat", "month": 24290})


def drawn(spark, sales, max_rows, seed=1):
    rows, summary = training_sample(spark.createDataFrame(sales), max_rows, seed)
    return rows.toPandas().sort_values("transaction_id", ignore_index=True), summary


def test_a_city_below_the_limit_keeps_all_sales(spark, sales):
    rows, summary = drawn(spark, sales, 4000)
    assert len(rows) == 4000
    assert not summary["is_sampled"]


def test_a_sample_keeps_the_limit_the_shares_and_all_sales_of_a_small_place(spark, sales):
    rows, summary = drawn(spark, sales, 1000)
    n_by_place = rows["location"].value_counts()
    assert 700 < len(rows) <= 1000
    assert n_by_place["Hamlet"] == 12
    assert n_by_place["North"] / n_by_place["South"] == pytest.approx(2500 / 1488, rel=0.2)
    assert summary["is_sampled"]
    assert (summary["market_sales"], summary["max_training_rows"]) == (4000, 1000)
    assert summary["kept_per_stratum"] == MIN_PER_STRATUM


def test_a_sample_depends_on_the_ids_and_the_seed_alone(spark, sales):
    rows, _ = drawn(spark, sales, 1000)
    shuffled, _ = drawn(spark, sales.sample(frac=1, random_state=1), 1000)
    other, _ = drawn(spark, sales, 1000, seed=2)
    pd.testing.assert_frame_equal(rows, shuffled)
    assert set(rows["transaction_id"]) != set(other["transaction_id"])


def test_a_larger_sample_contains_the_smaller_one(spark, sales):
    small, large = drawn(spark, sales, 1000)[0], drawn(spark, sales, 2000)[0]
    assert set(small["transaction_id"]) < set(large["transaction_id"])


def test_small_strata_count_against_the_limit():
    n_by_stratum = np.array([1_000_000.0] + [float(MIN_PER_STRATUM)] * 1000)
    rate, kept = sampling_rate(n_by_stratum, 100_000)
    assert kept == MIN_PER_STRATUM
    assert 30_000 + rate * 1_000_000 <= 100_000
    assert rate > 0.06


def test_many_small_strata_do_not_exceed_the_limit_and_leave_half_of_it_to_large_ones():
    n_by_stratum = np.array([25.0] * 40_000 + [1_000_000.0])
    rate, kept = sampling_rate(n_by_stratum, 200_000)
    assert kept == pytest.approx(2.5, rel=0.02)
    assert rate * 25 == pytest.approx(kept, rel=0.05)
    assert 190_000 < rate * n_by_stratum.sum() + 40_000 * max(kept - rate * 25, 0) <= 200_000


def test_a_larger_limit_lowers_neither_the_rate_nor_what_small_strata_keep():
    n_by_stratum = np.array([3.0, 8, 19, 40, 449] * 2_000)
    drawn = [sampling_rate(n_by_stratum, limit) for limit in range(20_000, 1_000_000, 7_001)]
    assert (np.diff(drawn, axis=0) >= -1e-9).all()
