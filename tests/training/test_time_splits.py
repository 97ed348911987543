import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.training.config import SplitConfig
from homei.training.time_splits import SplitError, holdout_masks, rolling_origins

LAST = 24_311
months_of_sales = st.lists(st.integers(LAST - 40, LAST), min_size=1, max_size=80).map(np.array)


@given(months_of_sales, st.integers(1, 12))
def test_training_sales_lie_strictly_before_the_hold_out(months, length):
    try:
        training, holdout = holdout_masks(
            months, LAST, SplitConfig(hold_out_months=length, tested_months=12, warm_up_months=6)
        )
    except SplitError:
        return
    assert months[training].max() < months[holdout].min()
    assert (training ^ holdout).all()


@given(months_of_sales, st.integers(1, 4), st.integers(1, 6))
def test_folds_are_consecutive_and_trained_on_earlier_sales(months, folds, length):
    end = LAST - 5
    try:
        masks = rolling_origins(months, end, folds, length)
    except SplitError:
        return
    assert len(masks) == folds
    for number, (training, test) in enumerate(masks):
        start = end - length * (folds - number)
        assert training.tolist() == (months < start).tolist()
        assert test.tolist() == ((months >= start) & (months < start + length)).tolist()
    assert not any(test[months >= end].any() for _, test in masks)


def test_the_hold_out_ends_with_the_as_of_month():
    months = np.arange(LAST - 9, LAST + 3)
    training, holdout = holdout_masks(months, LAST, SplitConfig(hold_out_months=3, tested_months=12, warm_up_months=1))
    assert months[holdout].tolist() == [LAST - 2, LAST - 1, LAST]
    assert months[training].tolist() == list(range(LAST - 9, LAST - 2))


def test_the_error_for_too_few_months_names_the_parameter():
    few = np.array([LAST - 1, LAST])
    with pytest.raises(SplitError, match=r"no sales to train on.*split\.hold_out_months"):
        holdout_masks(few, LAST, SplitConfig(hold_out_months=6, tested_months=12, warm_up_months=6))
    with pytest.raises(SplitError, match="no sales to test on"):
        holdout_masks(few - 24, LAST, SplitConfig(hold_out_months=6, tested_months=12, warm_up_months=6))
    with pytest.raises(SplitError, match="the number or length of folds"):
        rolling_origins(few, LAST + 1, folds=2, fold_months=1)
