"""What a search earned, from a table of trials that one can check by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from homei.model.earned import Earned, paired_interval, progress


@pytest.fixture
def trials():
    """Four trials of two folds; the third one is the best, the second one was pruned after its first fold."""
    rows = [
        (0, "complete", 0.031, 0.030, 0.032, 2, 4),
        (1, "pruned", None, 0.040, None, 1, 3),
        (2, "complete", 0.028, 0.028, 0.028, 2, 7),
        (3, "complete", 0.029, 0.029, 0.029, 2, 7),
    ]
    return pd.DataFrame(rows, columns=["number", "state", "value", "fold_1", "fold_2", "folds", "learnt"])


def test_the_gain_and_the_work_are_counted(trials):
    found = Earned.of(trials)
    assert found.gain == pytest.approx(0.003)
    assert (found.number, found.found, found.learnt, found.saved) == (2, 7, 7, 1)
    assert (found.trials, found.pruned, found.folds) == (4, 1, 2)


def test_the_gain_is_paired_over_the_folds_and_its_interval_holds_for_all_trials_at_once(trials):
    """Fold by fold it is 0.002 and 0.004: scipy's own t test over these pairs agrees, at the level of Bonferroni."""
    own, best = trials.loc[0, ["fold_1", "fold_2"]].astype(float), trials.loc[2, ["fold_1", "fold_2"]].astype(float)
    low, high = stats.ttest_rel(own, best).confidence_interval(1 - 0.10 / 3)
    assert Earned.of(trials).interval == pytest.approx((low, high))
    assert not Earned.of(trials).beyond_noise


def test_the_best_of_many_that_are_no_better_is_no_gain_beyond_noise():
    """Sixty trials that differ from the own parameters by chance alone: seldom is the best of them called better."""
    draw = np.random.default_rng(1)
    called = 0
    for _ in range(60):
        folds = 0.03 + draw.normal(0, 0.0003, (60, 4))
        table = pd.DataFrame(folds, columns=[f"fold_{number}" for number in range(1, 5)])
        table = table.assign(number=range(60), state="complete", value=folds.mean(axis=1), folds=4, learnt=240)
        called += Earned.of(table).beyond_noise
    assert called <= 6


def test_a_gain_that_is_the_same_in_all_folds_is_beyond_noise(trials):
    trials["fold_3"], trials["fold_4"] = trials["fold_1"], trials["fold_2"]
    trials.loc[2, ["fold_1", "fold_2", "fold_3", "fold_4"]] = [0.0281, 0.0300, 0.0279, 0.0301]
    assert Earned.of(trials).beyond_noise


def test_the_models_own_parameters_may_be_the_best(trials):
    found = Earned.of(trials.assign(value=[0.027, None, 0.028, 0.029]))
    assert (found.number, found.gain, found.interval, found.beyond_noise) == (0, 0, None, False)


def test_one_fold_tells_no_interval():
    assert paired_interval(pd.Series([0.01]).to_numpy()) is None


def test_the_own_parameters_may_stand_under_another_number(trials):
    assert Earned.of(trials, own=3).own == 0.029


def test_progress_is_the_best_so_far_in_the_order_of_work(trials):
    found = progress(trials)
    assert found["number"].tolist() == [1, 0, 2, 3]
    assert found["best"].isna().tolist() == [True, False, False, False]
    assert found["best"].tolist()[1:] == [0.031, 0.028, 0.028]


def test_a_pruned_trial_is_measured_against_the_own_parameters_on_the_folds_that_it_learnt(trials):
    """On the first fold it erred by 0.010 more than they did, on which they erred by 0.001 less than on average."""
    assert progress(trials)["error"].tolist() == pytest.approx([0.041, 0.031, 0.028, 0.029])
