"""The stages of the graph: the module or notebook of each, and the parameters that it declares.

A script stage is a module with a function `run`, whose arguments are named after the sections of params.yaml. A
notebook stage renders a page; its notebook gets its parameters by `stages.parameters(...)`.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from homei.config import params

GRAPH = Path("dvc.yaml")


@dataclass(frozen=True)
class Script:
    """A stage that calls `run` of a module."""

    module: str
    title: str


@dataclass(frozen=True)
class Notebook:
    """A stage that executes a notebook and renders it as a page."""

    path: Path
    page: Path
    title: str


def _notebook(name: str, page: str, title: str) -> Notebook:
    return Notebook(Path("notebooks") / f"{name}.ipynb", Path("reports") / page, title)


STAGES: dict[str, Script | Notebook] = {
    "simulate": Script("homei.demo.simulate", "simulate the demo city"),
    "fetch": Script("homei.ingestion.fetch", "read the changes of the city's feeds"),
    "ingest": Script("homei.ingestion.ingest", "write the city's records to the lake under canonical names"),
    "validate": Script("homei.validation.validate", "check records against the contract and set bad ones aside"),
    "resolve": Script("homei.resolution.resolve", "match records with properties, merge duplicate sales, flag sales"),
    "features": Script("homei.features.build", "build leak-free features in Spark"),
    "curate": Script("homei.curated.build", "build the analysts' tables in Spark"),
    "tune": Script("homei.training.tune", "search the model's parameters"),
    "train": Script("homei.training.train", "fit the valuation model"),
    "evaluate": Script("homei.evaluation.evaluate", "measure the hold-out's valuations by the assessors' standard"),
    "backtest": Script("homei.evaluation.backtest_study", "value each of the last months by a model of earlier months"),
    "drift": Script("homei.evaluation.drift", "compare the last months with those before"),
    "package": Script("homei.registry.package", "package the model as a Bento"),
    "appraise": Script("homei.registry.appraise", "value every known property"),
    "publish": Script("homei.warehouse.publish", "publish properties, customers and the market to the warehouse"),
    "explore": _notebook("10_explore", "notebooks/explore.html", "describe the sales"),
    "render_quality": Script("homei.reporting.quality_page", "render the data-quality report"),
    "render_curated": Script("homei.reporting.curated_pages", "render the data dictionary and quality by month"),
    "render_train": _notebook("20_train", "notebooks/train.html", "render the training report"),
    "render_evaluate": _notebook("30_evaluate", "evaluation/evaluate.html", "render the accuracy report"),
    "render_backtest": _notebook("35_backtest", "backtest/backtest.html", "render the backtest"),
    "render_drift": _notebook("40_drift", "drift/drift.html", "render the drift report"),
    "card": Script("homei.reporting.model_card", "write the model card and the page on quality control"),
    "site": Script("homei.reporting.site", "write the stakeholders' front page"),
}


def declared(stage: str, graph: Path = GRAPH, **items: str) -> list[str]:
    """The parameters that a stage declares in dvc.yaml, such as `seed` and `city.as_of`.

    `items` are the values of `${item.…}` in the declaration of a stage with a matrix.
    """
    names = yaml.safe_load(graph.read_text(encoding="utf-8"))["stages"][stage].get("params", [])
    for item, value in items.items():
        names = [name.replace(f"${{item.{item}}}", value) for name in names]
    return names


def parameters(stage: str, **items: str) -> SimpleNamespace:
    """The sections of params.yaml, restricted to the parameters that a stage declares in dvc.yaml.

    All sections are checked first. Reading an undeclared parameter raises UndeclaredError.
    """
    params.enter_project()
    return restricted(params.check(params.read()), declared(stage, **items))


def restricted(sections: SimpleNamespace, names: Iterable[str]) -> SimpleNamespace:
    """The named sections: whole ones (`seed`), or models with only the named fields (`city.as_of`)."""
    fields: dict[str, set[str]] = defaultdict(set)
    for name in names:
        section, _, field = name.partition(".")
        fields[section].add(field)
    chosen = {
        name: getattr(sections, name) if "" in of_section else getattr(sections, name).only(of_section)
        for name, of_section in fields.items()
    }
    return SimpleNamespace(**chosen)


def run(stage: str, **arguments: Any) -> None:
    """Runs one stage with its parameters; `arguments` go to its module besides."""
    definition = STAGES[stage]
    if isinstance(definition, Notebook):
        from homei.pipeline import notebooks

        city = parameters(stage).city
        notebooks.execute(definition.path, definition.page, f"{city.title} · as of {city.as_of}")
    else:
        importlib.import_module(definition.module).run(**arguments, **vars(parameters(stage, **arguments)))
