"""The simulated price shift: the drift report names its districts, and no district of a city without a shift."""

import json
import shutil

import pytest
from project_copy import run

pytestmark = pytest.mark.slow


def test_the_shift_is_found_in_the_districts_that_shifted_and_nowhere_else(rebuilt_city):
    truth = json.loads((rebuilt_city / "data/external/demo/world/truth/city.json").read_text())
    drift = json.loads((rebuilt_city / "reports/drift/drift.json").read_text())
    assert drift["drifted"]
    assert len(truth["shifted_districts"]) == 2
    assert sorted(drift["shifted_locations"]) == sorted(truth["shifted_districts"])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [20260101, 7])
def test_the_same_city_without_a_shift_is_not_flagged(rebuilt_city, tmp_path, seed):
    folder = shutil.copytree(rebuilt_city, tmp_path / "calm", symlinks=True)
    run(["homei", "compose", f"seed={seed}", "simulate.shift.change=0", "tuning.trials=1"], folder)
    run(["dvc", "repro", "drift"], folder)
    drift = json.loads((folder / "reports/drift/drift.json").read_text())
    assert not drift["drifted"]
    assert drift["shifted_locations"] == []
    assert [column["column"] for column in drift["columns"] if column["drifted"]] == []
