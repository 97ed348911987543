"""The stages of the graph: which module or notebook each one is, and how it is run.

A script stage is a module with `run(...)`, whose parameters are the sections of params.yaml that it reads; a notebook
stage names its sections in `params.pick(...)`. The graph (dvc.yaml) declares the same sections, and a test compares.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homei import params


@dataclass(frozen=True)
class Script:
    """A stage that is a module."""

    module: str
    title: str


@dataclass(frozen=True)
class Notebook:
    """A stage that is a notebook, whose rendered page is its product."""

    path: Path
    page: Path
    title: str


STAGES: dict[str, Script | Notebook] = {
    "simulate": Script("homei.demo.simulate", "simulate the demo city"),
    "fetch": Script("homei.sources.fetch", "read what is new from the source's feeds"),
    "ingest": Script("homei.sources.ingest", "bring the source's rows into the lake"),
    "validate": Script("homei.quality.validate", "set bad rows aside, with their reasons"),
    "resolve": Script("homei.entities.resolve", "tell properties and sales apart, and market prices from others"),
    "features": Script("homei.features.build", "build leak-free features in Spark"),
    "curate": Script("homei.curated.build", "write the tables that analysts read, and their dictionary"),
    "explore": Notebook(
        Path("notebooks/10_explore.ipynb"), Path("reports/notebooks/explore.html"), "picture what was sold"
    ),
    "tune": Script("homei.model.tune", "search the model's parameters"),
    "train": Notebook(
        Path("notebooks/20_train.ipynb"), Path("reports/notebooks/train.html"), "fit the valuation model"
    ),
    "evaluate": Notebook(
        Path("notebooks/30_evaluate.ipynb"),
        Path("reports/evaluation/evaluate.html"),
        "measure it as an assessor would",
    ),
    "backtest": Notebook(
        Path("notebooks/35_backtest.ipynb"),
        Path("reports/backtest/backtest.html"),
        "value each month by a model of those before it",
    ),
    "drift": Notebook(
        Path("notebooks/40_drift.ipynb"),
        Path("reports/drift/drift.html"),
        "compare the last months with those before",
    ),
    "package": Script("homei.model.package", "package the model as a Bento"),
    "appraise": Script("homei.model.appraise", "value every property that is known"),
    "publish": Script("homei.warehouse.publish", "bring properties, customers and the market into the warehouse"),
    "card": Script("homei.report.card", "write the model card and the page on quality control"),
    "site": Script("homei.report.site", "write the stakeholders' front page"),
}


def sections_of(stage: str) -> list[str]:
    """The sections of params.yaml that a stage reads."""
    found = STAGES[stage]
    if isinstance(found, Notebook):
        return _sections_picked(found.path)
    run_parameters = inspect.signature(importlib.import_module(found.module).run).parameters
    return [name for name in run_parameters if name in params.SECTIONS]


def run(stage: str, **arguments: Any) -> None:
    """Runs one stage on params.yaml, all of which is checked first; `arguments` go to the stage beside its sections."""
    values = params.read()
    checked = params.check(values)
    found = STAGES[stage]
    if isinstance(found, Notebook):
        from homei import notebooks

        notebooks.execute(found.path, {name: values[name] for name in sections_of(stage)}, found.page)
    else:
        sections = {name: getattr(checked, name) for name in sections_of(stage)}
        importlib.import_module(found.module).run(**arguments, **sections)


def _sections_picked(notebook: Path) -> list[str]:
    """The names in a notebook's `params.pick("source", ...)`."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tree = ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    picks = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "params.pick")
    return [argument.value for pick in picks for argument in pick.args if isinstance(argument, ast.Constant)]
