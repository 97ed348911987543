"""The tuning gain from a table of trials small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from homei.training.tuning_gain import TuningGain, paired_interval, search_progress


@pytest.fixture
def trials():
    """Four trials of two folds of a month; the third is the best, the second was pruned early."""
    rows = [
        (0, "complete", 0.031, 0.030, 0.032, 2, 4),
        (1, "pruned", None, 0.040, None, 1, 3),
        (2, "complete", 0.028, 0.028, 0.028, 2, 7),
        (3, "complete", 0.029, 0.029, 0.029, 2, 7),
    ]
    table = pd.DataFrame(rows, columns=["number", "state", "value", "fold_1", "fold_2", "folds", "folds_so_far"])
    return table.assign(**{"2025-01": table["fold_1"], "2025-02": table["fold_2"]})


def test_gain_and_work_are_counted(trials):
    result = TuningGain.from_trials(trials)
    assert result.gain == pytest.approx(0.003)
    assert (result.best_trial, result.folds_until_best, result.folds_trained, result.folds_saved) == (2, 7, 7, 1)
    assert (result.n_trials, result.n_pruned, result.n_folds, result.n_months) == (4, 1, 2, 2)


def test_the_interval_is_paired_over_months_and_corrected_for_all_trials(trials):
    """scipy's paired t test at Bonferroni's level gives the same interval."""
    own, best = trials.loc[0, ["fold_1", "fold_2"]].astype(float), trials.loc[2, ["fold_1", "fold_2"]].astype(float)
    low, high = stats.ttest_rel(own, best).confidence_interval(1 - 0.10 / 3)
    assert TuningGain.from_trials(trials).interval == pytest.approx((low, high))
    assert not TuningGain.from_trials(trials).is_significant


def test_the_best_of_many_equal_trials_is_rarely_significant():
    """Sixty trials that differ from the configured parameters by chance only."""
    draw = np.random.default_rng(1)
    called = 0
    for _ in range(60):
        folds = 0.03 + draw.normal(0, 0.0003, (60, 4))
        table = pd.DataFrame(folds, columns=[f"2025-0{number}" for number in range(1, 5)])
        table = table.assign(number=range(60), state="complete", value=folds.mean(axis=1), folds=4, folds_so_far=240)
        called += TuningGain.from_trials(table).is_significant
    assert called <= 6


def test_an_equal_gain_in_all_months_is_significant(trials):
    trials["2025-03"], trials["2025-04"] = trials["2025-01"], trials["2025-02"]
    trials.loc[2, ["2025-01", "2025-02", "2025-03", "2025-04"]] = [0.0281, 0.0300, 0.0279, 0.0301]
    assert TuningGain.from_trials(trials).is_significant


def test_the_configured_parameters_can_be_the_best(trials):
    result = TuningGain.from_trials(trials.assign(value=[0.027, None, 0.028, 0.029]))
    assert (result.best_trial, result.gain, result.interval, result.is_significant) == (0, 0, None, False)


def test_one_month_gives_no_interval():
    assert paired_interval(pd.Series([0.01]).to_numpy()) is None


def test_the_configured_trial_can_have_another_number(trials):
    assert TuningGain.from_trials(trials, configured_trial=3).configured == 0.029


def test_progress_is_the_best_error_so_far_in_the_order_of_work(trials):
    result = search_progress(trials)
    assert result["number"].tolist() == [1, 0, 2, 3]
    assert result["best"].isna().tolist() == [True, False, False, False]
    assert result["best"].tolist()[1:] == [0.031, 0.028, 0.028]


def test_a_pruned_trials_error_is_relative_to_the_configured_parameters(trials):
    """Its error on the first fold is 0.010 larger; theirs there is 0.001 below their mean."""
    assert search_progress(trials)["error"].tolist() == pytest.approx([0.041, 0.031, 0.028, 0.029])
