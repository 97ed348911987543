"""Every byte again: in another folder, time zone and hash seed, and after a kill in the middle of a stage."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from newcomer import PROJECT, copy_of_the_project, environment, run

pytestmark = pytest.mark.slow


def changes(folder: Path) -> str:
    return run(["git", "status", "--porcelain"], folder).stdout


def test_a_newcomer_gets_every_byte_of_the_committed_dvc_lock(city):
    assert changes(city) == ""
    assert (city / "dvc.lock").read_text() == (PROJECT / "dvc.lock").read_text()


def test_a_second_run_has_nothing_to_do(city):
    assert "up to date" in run(["dvc", "repro"], city).stdout


def test_verify_finds_no_difference_and_then_a_flipped_byte_of_the_packaged_model(city):
    assert "what dvc.lock says" in run(["homei", "verify"], city).stdout
    model = next(path for path in sorted((city / "models/bentos").rglob("*")) if path.name == "model.txt")
    before = model.read_bytes()
    model.write_bytes(bytes([before[0] ^ 1]) + before[1:])
    found = run(["homei", "verify"], city, check=False)
    model.write_bytes(before)
    assert found.returncode != 0
    assert "Bento" in found.stderr or "model.txt" in found.stderr


def test_a_rebuild_that_is_killed_in_three_stages_ends_with_the_same_bytes(tmp_path):
    folder = copy_of_the_project(tmp_path / "killed")
    kill_when_there_is("data/processed/valid/.sales.writing", folder)
    kill_when_there_is("data/processed/aggregates/.market_history.writing", folder)
    kill_when_there_is("models/.valuation.writing", folder)
    run(["dvc", "repro"], folder)
    assert (folder / "dvc.lock").read_text() == (PROJECT / "dvc.lock").read_text()
    assert changes(folder) == ""
    assert not list(folder.glob("[dmr]*/**/.*.writing"))


def kill_when_there_is(half_written: str, folder: Path) -> None:
    """Rebuilds, and kills that with all that it started when a table or a model is half written."""
    with subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + 400
        while process.poll() is None and time.monotonic() < until and not (folder / half_written).exists():
            time.sleep(0.001)
        assert process.poll() is None, f"there never was {half_written}"
        os.killpg(process.pid, signal.SIGKILL)


def test_experiments_in_the_workspace_and_in_the_queue_can_be_compared(city, tmp_path):
    """Queued experiments run in copies of the repository, where nothing but git and DVC bring the files."""
    folder = shutil.copytree(city, tmp_path / "experiments", symlinks=True)
    small = ["-S", "tuning.trials=1", "-S", "tuning.folds=1"]
    run(["dvc", "exp", "run", "--name", "ridge", "-S", "model=linear", *small, "evaluate"], folder)
    run(["git", "checkout", "-q", "."], folder)
    for leaves in (15, 31):
        queued = ["-S", f"model.parameters.num_leaves={leaves}", *small]
        run(["dvc", "exp", "run", "--queue", "--name", f"leaves-{leaves}", *queued, "evaluate"], folder)
    run(["dvc", "exp", "run", "--run-all"], folder)
    run(["dvc", "queue", "stop", "--kill"], folder, check=False)
    shown = json.loads(run(["dvc", "exp", "show", "--json"], folder).stdout)
    names = {
        experiment["name"]: revision["data"]["metrics"]["reports/evaluation/metrics.json"]["data"]["out_of_time"][
            "mdape"
        ]
        for commit in shown
        for experiment in commit["experiments"] or []
        for revision in experiment["revs"]
    }
    assert set(names) == {"ridge", "leaves-15", "leaves-31"}
    assert names["ridge"] > names["leaves-31"]


@pytest.mark.skipif("HOMEI_HDB_DATA" not in os.environ, reason="HOMEI_HDB_DATA names no folder with the real sales")
def test_real_sales_by_one_switch_reach_the_accuracy_that_was_promised(tmp_path):
    folder = copy_of_the_project(tmp_path / "hdb")
    run(["homei", "fetch", "hdb", "--from", os.environ["HOMEI_HDB_DATA"]], folder)
    run(["homei", "compose", "source=hdb"], folder)
    run(["dvc", "repro"], folder)
    metrics = json.loads((folder / "reports/evaluation/metrics.json").read_text())
    assert metrics["out_of_time"]["mdape"] <= 0.0300
    assert metrics["out_of_time"]["mdape"] < metrics["linear"]["mdape"] < metrics["naive"]["mdape"]
    assert metrics["noise_floor"]["mdape"] < metrics["out_of_time"]["mdape"]
    assert abs(metrics["intervals"]["coverage"] - metrics["intervals"]["level"]) < 0.03
