"""DVC experiments, in the workspace and queued, run from the small city's cached features and can be compared."""

import json

import pytest
from project_copy import run

pytestmark = pytest.mark.slow


def test_experiments_in_the_workspace_and_in_the_queue_can_be_compared(small_copy):
    """Queued experiments run in copies of the repository, to which only git and DVC bring the files."""
    run(["dvc", "exp", "run", "--name", "ridge", "-S", "model=linear", "evaluate"], small_copy)
    run(["git", "checkout", "-q", "."], small_copy)
    queued = ["-S", "model.parameters.num_leaves=15"]
    run(["dvc", "exp", "run", "--queue", "--name", "leaves-15", *queued, "evaluate"], small_copy)
    run(["dvc", "exp", "run", "--run-all"], small_copy)
    run(["dvc", "queue", "stop", "--kill"], small_copy, check=False)
    shown = json.loads(run(["dvc", "exp", "show", "--json"], small_copy).stdout)
    errors = {
        experiment["name"]: revision["data"]["metrics"]["reports/evaluation/metrics.json"]["data"]["out_of_time"][
            "mdape"
        ]
        for commit in shown
        for experiment in commit["experiments"] or []
        for revision in experiment["revs"]
    }
    assert set(errors) == {"ridge", "leaves-15"}
    assert errors["ridge"] != errors["leaves-15"]
