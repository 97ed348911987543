"""A city that isn't the demo, and isn't simulated."""

import json
import os

import pytest
from project_copy import copy_project, run

pytestmark = pytest.mark.slow


@pytest.mark.skipif("HOMEI_HDB_DATA" not in os.environ, reason="HOMEI_HDB_DATA names no folder with the real sales")
def test_real_sales_by_one_switch_reach_the_accuracy_that_was_promised(tmp_path):
    folder = copy_project(tmp_path / "hdb")
    run(["homei", "fetch", "hdb", "--from", os.environ["HOMEI_HDB_DATA"]], folder)
    run(["homei", "compose", "city=hdb"], folder)
    run(["dvc", "repro"], folder)
    metrics = json.loads((folder / "reports/evaluation/metrics.json").read_text())
    assert metrics["out_of_time"]["mdape"] <= 0.0300
    assert metrics["out_of_time"]["mdape"] < metrics["linear"]["mdape"] < metrics["naive"]["mdape"]
    assert metrics["noise_floor"]["mdape"] < metrics["out_of_time"]["mdape"]
    assert abs(metrics["intervals"]["coverage"] - metrics["intervals"]["level"]) < 0.03
