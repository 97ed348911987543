"""Every byte again, after a kill in the middle of a stage."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from newcomer import PROJECT, changes, copy_of_the_project, environment, run

pytestmark = pytest.mark.slow


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
        until = time.monotonic() + 900
        while process.poll() is None and time.monotonic() < until and not (folder / half_written).exists():
            time.sleep(0.001)
        assert process.poll() is None, f"there never was {half_written}"
        os.killpg(process.pid, signal.SIGKILL)
