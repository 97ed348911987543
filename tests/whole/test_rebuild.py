"""Every byte again, in another folder, time zone and hash seed; and what can be done from there."""

import json
import shutil

import pytest
from newcomer import PROJECT, changes, run

pytestmark = pytest.mark.slow


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
