import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.config import Split
from homei.model.split import SplitError, hold_out, rolling_origins

LAST = 24_311
months_of_sales = st.lists(st.integers(LAST - 40, LAST), min_size=1, max_size=80).map(np.array)


@given(months_of_sales, st.integers(1, 12))
def test_what_is_learnt_lies_strictly_before_the_hold_out(months, length):
    try:
        learnt, held = hold_out(months, LAST, Split(hold_out_months=length, tested_months=12, warm_up_months=6))
    except SplitError:
        return
    assert months[learnt].max() < months[held].min()
    assert (learnt ^ held).all()


@given(months_of_sales, st.integers(1, 4), st.integers(1, 6))
def test_each_fold_is_valued_by_what_lies_before_it_and_folds_follow_one_another(months, folds, length):
    end = LAST - 5
    try:
        masks = rolling_origins(months, end, folds, length)
    except SplitError:
        return
    assert len(masks) == folds
    for number, (learnt, asked) in enumerate(masks):
        start = end - length * (folds - number)
        assert learnt.tolist() == (months < start).tolist()
        assert asked.tolist() == ((months >= start) & (months < start + length)).tolist()
    assert not any(asked[months >= end].any() for _, asked in masks)


def test_the_hold_out_is_the_last_months_including_that_of_as_of():
    months = np.arange(LAST - 9, LAST + 3)
    learnt, held = hold_out(months, LAST, Split(hold_out_months=3, tested_months=12, warm_up_months=1))
    assert months[held].tolist() == [LAST - 2, LAST - 1, LAST]
    assert months[learnt].tolist() == list(range(LAST - 9, LAST - 2))


def test_too_few_months_are_an_error_that_names_what_to_lower():
    few = np.array([LAST - 1, LAST])
    with pytest.raises(SplitError, match=r"no sales to learn from.*split\.hold_out_months"):
        hold_out(few, LAST, Split(hold_out_months=6, tested_months=12, warm_up_months=6))
    with pytest.raises(SplitError, match="no sales to measure on"):
        hold_out(few - 24, LAST, Split(hold_out_months=6, tested_months=12, warm_up_months=6))
    with pytest.raises(SplitError, match="the number or length of the folds"):
        rolling_origins(few, LAST + 1, folds=2, fold_months=1)
