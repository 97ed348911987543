"""Duration of each stage on this machine, and the part of it that is start-up.

    python -m benchmarks.stages

Runs every stage in the order of the graph on the built project, which leaves its outputs unchanged. Start-up is
measured separately: `homei --help`, the stage's imports, an empty notebook, and a `dvc repro` without changes.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from homei.pipeline import stages
from homei.storage import lake

EMPTY_NOTEBOOK = {
    "cells": [{"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": []}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def seconds(*command: str) -> float:
    """The wall time of a command; exits if the command fails."""
    start = time.perf_counter()
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stderr[-2000:]}")
    return time.perf_counter() - start


def start_up(stage: str, idle: float, notebook: float) -> float:
    """Seconds before a stage's own work starts: the interpreter and its imports, or an empty notebook."""
    entry = stages.STAGES[stage]
    if isinstance(entry, stages.Notebook):
        return idle + notebook
    return max(idle, seconds(sys.executable, "-c", f"import homei.cli.main, {entry.module}"))


def empty_notebook() -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.ipynb"
        path.write_text(json.dumps(EMPTY_NOTEBOOK))
        code = f"from pathlib import Path; from homei.pipeline import notebooks; p = Path({str(path)!r}); "
        return seconds(sys.executable, "-c", code + "notebooks.execute(p, p.with_suffix('.html'), '')")


def main() -> None:
    city = yaml.safe_load(Path("params.yaml").read_text())["city"]
    idle, unchanged = seconds("homei", "--help"), seconds("dvc", "repro")
    notebook = min(empty_notebook() for _ in range(2))  # the first run reads from disk
    print(f"city {city['name']}; `dvc repro` without changes {unchanged:.1f} s; idle `homei` {idle:.1f} s; ", end="")
    print(f"empty notebook {notebook:.1f} s\n\n{'stage':<16}{'seconds':>9}{'start-up':>10}{'own work':>10}")
    total = 0.0
    for stage in stages.STAGES:
        if stage in ("simulate", "fetch") and not city["simulated"]:
            continue
        for arguments in [[table] for table in lake.RAW] if stage == "ingest" else [[]]:
            command = ["render", stage.removeprefix("render_")] if stage.startswith("render_") else [stage]
            duration, overhead = seconds("homei", *command, *arguments), start_up(stage, idle, notebook)
            total += duration
            work, name = max(duration - overhead, 0), " ".join([stage, *arguments])
            print(f"{name:<16}{duration:>9.1f}{overhead:>10.1f}{work:>10.1f}")
    print(f"{'all':<16}{total:>9.1f}")


if __name__ == "__main__":
    main()
