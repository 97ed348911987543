"""Splits by time, of long histories and of short ones with gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.training.config import SplitConfig
from homei.training.time_splits import (
    MIN_MONTHS,
    SplitError,
    TimeSplit,
    rolling_origins,
    split_holdout,
    tuning_sales,
    usable_sales,
)

LAST = 24_311  # December 2025
SPLIT = SplitConfig(hold_out_months=6, tested_months=12, warm_up_months=6)
months_of_sales = st.lists(st.integers(LAST - 40, LAST), min_size=2, max_size=80).map(np.array)


def sales_of(months):
    """Ten sales in each of the months."""
    return pd.DataFrame({"month": np.repeat(months, 10), "market_level": 8.0})


def month_set(sales):
    return sorted(set(sales["month"].tolist()))


@given(months_of_sales, st.integers(1, 4), st.integers(1, 6))
def test_folds_are_consecutive_end_with_the_last_month_and_train_on_earlier_sales(months, folds, length):
    if len(set(months)) < 2:
        return
    masks = rolling_origins(months, folds, length)
    assert 1 <= len(masks) <= folds
    for training, test in masks:
        assert training.any()
        assert months[training].max() < months[test].min()
        assert len(set(months[test])) <= length
    tested = np.concatenate([months[test] for _, test in masks])
    assert sorted(tested) == sorted(months[months >= tested.min()])


@given(st.sets(st.integers(LAST - 60, LAST), min_size=MIN_MONTHS))
def test_every_history_of_six_months_gives_sales_to_train_tune_and_test_on(present):
    sales = sales_of(sorted(present))
    before, holdout = split_holdout(sales, SPLIT)
    assert before["month"].max() < holdout["month"].min()
    assert len(before) + len(holdout) == len(usable_sales(sales, SPLIT)) < len(sales)
    tuning = tuning_sales(sales, SPLIT)
    assert len(month_set(tuning)) >= 3
    assert tuning["month"].max() < holdout["month"].min()
    assert month_set(sales)[-1] in month_set(holdout)


def test_a_long_history_has_the_configured_lengths(sections):
    plan = TimeSplit.plan(sales_of(range(LAST - 59, LAST + 1))["month"], SPLIT)
    assert (plan.first_usable, plan.first_tested, plan.first_holdout) == (LAST - 53, LAST - 11, LAST - 5)
    record = plan.record(tuning=sections.tuning, intervals=sections.intervals, backtest=sections.backtest)
    assert record["note"] == ""
    assert record["tuning.fold_months"] == sections.tuning.fold_months


def test_thirteen_months_are_split_without_a_parameter_and_the_record_says_how(sections):
    plan = TimeSplit.plan(sales_of(range(LAST - 12, LAST + 1))["month"], SPLIT)
    record = plan.record(tuning=sections.tuning, intervals=sections.intervals, backtest=sections.backtest)
    assert (record["first_month"], record["last_month"], record["months_with_sales"]) == ("2024-12", "2025-12", 13)
    assert (plan.warm_up, plan.hold_out, plan.tested) == (2, 2, 4)
    assert record["note"] == (
        "Sales of 13 months (2024-12 to 2025-12) are too few for the configured lengths: split.warm_up_months is 2 "
        "instead of 6, split.hold_out_months is 2 instead of 6, split.tested_months is 4 instead of 12, "
        "tuning.fold_months is 2 instead of 4, backtest.calibration_months is 3 instead of 6."
    )


def test_months_without_sales_at_the_end_or_between_are_not_counted():
    present = [month for month in range(LAST - 35, LAST - 1) if month % 6]
    plan = TimeSplit.plan(sales_of(present)["month"], SPLIT)
    _, holdout = split_holdout(sales_of(present), SPLIT)
    assert month_set(holdout) == present[-plan.hold_out :]


@pytest.mark.parametrize("months", [range(LAST - 4, LAST + 1), [LAST], []])
def test_the_error_for_too_few_months_says_how_many_there_are_and_which_keys_matter(months):
    with pytest.raises(SplitError, match=rf"{len(months)} months.*add earlier sales.*split\.tested_months = 12"):
        tuning_sales(sales_of(months), SPLIT)


def test_the_error_for_too_few_sales_says_how_many_there_are():
    with pytest.raises(SplitError, match="has 30 sales in 30 months from 2023-07 to 2025-12; training needs 50 sales"):
        TimeSplit.plan(np.arange(LAST - 29, LAST + 1), SPLIT)
