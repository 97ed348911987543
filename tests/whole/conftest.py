"""The demo city rebuilt from nothing, once for its bytes, and a small city whose stages take seconds."""

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage
from project_copy import commit, copy_project, environment, run

SMALL = [
    "simulate.properties=1500", "simulate.sales=5000", "simulate.months=40", "simulate.districts=8", "tuning.trials=1",
    "tuning.folds=1", "model.parameters.n_estimators=60", "evaluate.bootstrap=20", "backtest.refit_months=6",
    "backtest.untuned.n_estimators=60",
]  # fmt: skip
# A stage is killed while the first of its tables or its model is half written.
HALF_WRITTEN = (
    "data/processed/valid/.sales.*.writing",
    "data/processed/aggregates/.market_history.*.writing",
    "models/.valuation.*.writing",
)
DEADLINE_SECONDS = 900


@pytest.fixture(scope="session")
def rebuilt_city(tmp_path_factory) -> Path:
    """The demo city, built in a fresh clone by `dvc repro` that was killed in three stages and then run to its end."""
    folder = copy_project(tmp_path_factory.mktemp("clone") / "a new place")
    run(["homei", "compose"], folder)
    for path in HALF_WRITTEN:
        kill_repro_when_there_is(path, folder)
    run(["dvc", "repro"], folder)
    return folder


def kill_repro_when_there_is(half_written: str, folder: Path) -> None:
    """Runs `dvc repro`, and kills all of its processes as soon as a path matches the pattern."""
    with subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not list(folder.glob(half_written)):
            time.sleep(0.001)
        assert process.poll() is None, f"`dvc repro` ended, and {half_written} never existed"
        os.killpg(process.pid, signal.SIGKILL)


class SmallCity(NamedTuple):
    """A committed project with a small city, and by stage's command its declared outputs and the files it wrote."""

    folder: Path
    declared: dict[str, set[str]]
    written: dict[str, set[str]]


@pytest.fixture(scope="session")
def small_city(tmp_path_factory) -> SmallCity:
    """A small city whose stages were run one by one, in the order of the graph; not to be written to."""
    folder = copy_project(tmp_path_factory.mktemp("small") / "city")
    run(["homei", "compose", *SMALL], folder)
    for report in [path for path in files(folder) if path.startswith("reports/") and "/docs/" not in path]:
        (folder / report).unlink()
    declared, written = declared_outputs(folder), {}
    for command in declared:
        before = files(folder)
        run(shlex.split(command), folder)
        written[command] = files(folder) - before
    run(["dvc", "commit", "--quiet", "--force"], folder)
    commit(folder, "A small city")
    return SmallCity(folder, declared, written)


@pytest.fixture
def small_copy(small_city, tmp_path) -> Path:
    """A copy of the small city's project that a test may change."""
    return shutil.copytree(small_city.folder, tmp_path / "city", symlinks=True)


def files(folder: Path) -> set[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if "__pycache__" not in path and not path.startswith((".git/", ".dvc/"))}


def declared_outputs(folder: Path) -> dict[str, set[str]]:
    """The outputs of each command of the graph, in the order in which the commands can run."""
    with Repo(str(folder)) as repo:
        graph = repo.index.graph
        ordered = [stage for stage in reversed([*nx.topological_sort(graph)]) if isinstance(stage, PipelineStage)]
        return {
            stage.cmd: {Path(out.fs_path).relative_to(folder).as_posix() for out in stage.outs} for stage in ordered
        }
