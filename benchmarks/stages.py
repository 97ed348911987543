"""How long each stage takes on this machine, beside what it spends before its own work begins.

    python -m benchmarks.stages

Runs every stage by hand, in the order of the graph, on what is built (the outputs come back byte for byte). Overhead is
measured apart, in the same session: an idle `homei`, the stage's imports, an empty notebook, a `dvc repro` that has
nothing to do.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from homei import stages
from homei.source import ROOMS

EMPTY_NOTEBOOK = {
    "cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "sections = {}", "outputs": []}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def seconds(*command: str) -> float:
    """The wall time of a command that must succeed."""
    began = time.perf_counter()
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stderr[-2000:]}")
    return time.perf_counter() - began


def start_up(stage: str, idle: float, notebook: float) -> float:
    """What a stage costs before its own work: the interpreter and its imports, or an empty notebook."""
    found = stages.STAGES[stage]
    if isinstance(found, stages.Notebook):
        return idle + notebook
    return max(idle, seconds(sys.executable, "-c", f"import homei.cli, {found.module}"))


def empty_notebook() -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.ipynb"
        path.write_text(json.dumps(EMPTY_NOTEBOOK))
        code = f"from pathlib import Path; from homei import notebooks; p = Path({str(path)!r}); "
        return seconds(sys.executable, "-c", code + "notebooks.execute(p, {}, p.with_suffix('.html'))")


def main() -> None:
    source = yaml.safe_load(Path("params.yaml").read_text())["source"]
    idle, nothing = seconds("homei", "--help"), seconds("dvc", "repro")
    notebook = min(empty_notebook() for _ in range(2))  # the first one finds nothing in the machine's memory
    print(
        f"source {source['name']}; `dvc repro` with nothing to do {nothing:.1f} s; idle `homei` {idle:.1f} s; ", end=""
    )
    print(f"empty notebook {notebook:.1f} s\n\n{'stage':<16}{'seconds':>9}{'start-up':>10}{'own work':>10}")
    total = 0.0
    for stage in stages.STAGES:
        if stage in ("simulate", "fetch") and not source["simulated"]:
            continue
        for arguments in [[room] for room in ROOMS] if stage == "ingest" else [[]]:
            taken, before = seconds("homei", stage, *arguments), start_up(stage, idle, notebook)
            total += taken
            print(f"{' '.join([stage, *arguments]):<16}{taken:>9.1f}{before:>10.1f}{max(taken - before, 0):>10.1f}")
    print(f"{'all':<16}{total:>9.1f}")


if __name__ == "__main__":
    main()
