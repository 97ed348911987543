"""What a search earned, in words that hold for the numbers."""

import pandas as pd
import pytest

from homei.model.earned import Earned
from homei.report import searches


def earned(**parts):
    usual = {
        "own": 0.0310, "best": 0.0300, "number": 7, "found": 20, "folds": 4, "trials": 12, "pruned": 5, "learnt": 40,
        "saved": 8, "interval": (0.0002, 0.0018),
    }  # fmt: skip
    return Earned(**usual | parts)


def test_the_work_and_the_gain_are_told():
    told = searches.work(earned())
    assert "3.100\u202f% on the folds" in told
    assert "number 7 of 12, by 3.000\u202f%: 0.100 points less, found after 20 of 40 folds learnt" in told
    assert "5 were pruned, which left 8 of 48 folds (17\u202f%) unlearnt" in told
    assert "0.250 points per 100 folds" in told


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "beyond the folds' noise: 0.020 to 0.180 points"),
        ({"interval": (-0.0002, 0.0022)}, "near-equals"),
        ({"interval": None}, "One fold can't tell"),
        ({"best": 0.0310, "interval": None}, "No trial beat"),
    ],
)
def test_the_verdict_follows_the_interval(parts, said):
    assert said in searches.verdict(earned(**parts))


def test_the_picture_marks_pruned_trials_and_is_the_same_each_time():
    rows = [
        (0, "complete", 0.031, 0.030, 0.032, 2, 2),
        (1, "pruned", None, 0.9, None, 1, 3),
        (2, "complete", 0.030, 0.03, 0.03, 2, 5),
    ]
    trials = pd.DataFrame(rows, columns=["number", "state", "value", "fold_1", "fold_2", "folds", "learnt"])
    picture = searches.path(trials)
    assert picture == searches.path(trials)
    assert "pruned" in picture
    # The hopeless trial does not stretch the axis.
    assert "90" not in searches.path(trials).split("<svg")[1].partition("aria-label")[0]
