"""Sentences and chart of the tuning gain."""

import pandas as pd
import pytest

from homei.reporting import tuning_views
from homei.training.tuning_gain import TuningGain


def tuning_gain(**changes):
    defaults = {
        "configured": 0.0310, "best": 0.0300, "best_trial": 7, "folds_until_best": 20, "n_folds": 4, "n_months": 16,
        "n_trials": 12,
        "n_pruned": 5, "folds_trained": 40, "month_gain": 0.001, "interval": (0.0002, 0.0018),
    }  # fmt: skip
    return TuningGain(**defaults | changes)


def test_the_sentences_state_gain_and_work():
    sentence = tuning_views.describe_gain(tuning_gain())
    assert "3.100\u202f% on the folds" in sentence
    assert "number 7 of 12, has 3.000\u202f%: a gain of 0.100 points, found after 20 of 40 fitted folds" in sentence
    assert "5 trials were pruned, which saved 8 of 48 folds (17\u202f%)" in sentence
    assert "0.250 points per 100 fitted folds" in sentence


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "exceeds the noise of the months: 0.100 points a month on average, 0.020 to 0.180"),
        ({"interval": (-0.0002, 0.0022)}, "configured parameters are to be kept"),
        ({"interval": None}, "One month cannot distinguish"),
        ({"best": 0.0310, "interval": None}, "No trial beat"),
    ],
)
def test_the_verdict_follows_the_interval(changes, expected):
    assert expected in tuning_views.describe_significance(tuning_gain(**changes))


def test_the_chart_marks_pruned_trials_and_is_reproducible():
    rows = [
        (0, "complete", 0.031, 0.030, 0.032, 2, 2),
        (1, "pruned", None, 0.9, None, 1, 3),
        (2, "complete", 0.030, 0.03, 0.03, 2, 5),
    ]
    trials = pd.DataFrame(rows, columns=["number", "state", "value", "fold_1", "fold_2", "folds", "folds_so_far"])
    chart = tuning_views.progress_chart(trials)
    assert chart == tuning_views.progress_chart(trials)
    assert "pruned" in chart
    # A trial with a large error does not stretch the axis.
    assert "90" not in tuning_views.progress_chart(trials).split("<svg")[1].partition("aria-label")[0]
