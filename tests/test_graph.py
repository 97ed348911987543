"""dvc.yaml declares exactly what its stages read, so that a change reruns the stages that it concerns and no others."""

import ast
import inspect
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from homei.config import feeds, params
from homei.config.model import UndeclaredError
from homei.pipeline import stages

PROJECT = Path(__file__).parents[1]
SRC = PROJECT / "src"
GRAPH = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((PROJECT / "params.yaml").read_text())

KINDS = [name.partition(":")[0] for name in feeds.KINDS.values()]
# Modules that a stage finds by name and does not import.
FOUND_BY_NAME = {
    "package": ["homei.serving.service"],
    "ingest": KINDS,
    "fetch": [*KINDS, "homei.demo.mock_servers"],
}
RENDERING = {"explore", "card", "site", *(name for name in stages.STAGES if name.startswith("render_"))}


def imports_of(tree: ast.AST) -> set[str]:
    """The modules of homei that code imports, anywhere but under TYPE_CHECKING."""
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "homei" and path_of(name)}


def path_of(module: str) -> Path | None:
    path = SRC / Path(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def packages_behind(stage: str) -> set[str]:
    """The packages of all modules that a stage imports, directly or not."""
    reached: set[str] = set()
    waiting = modules_of(stage)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= imports_of(ast.parse(path_of(module).read_text())) - reached
    return {f"src/homei/{module.split('.')[1]}" for module in reached}


def modules_of(stage: str) -> set[str]:
    definition = stages.STAGES[stage]
    if isinstance(definition, stages.Script):
        return {definition.module, *FOUND_BY_NAME.get(stage, ())}
    cells = json.loads((PROJECT / definition.path).read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return imports_of(ast.parse(code)) | {"homei.pipeline.notebooks"}


def outputs_of(stage: str) -> set[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in GRAPH[stage].get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def contains(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def rerun_by_file(path: str) -> set[str]:
    """The stages that depend on a file of the repository."""
    return {name for name, stage in GRAPH.items() if any(contains(dep, path) for dep in stage["deps"])}


def rerun_by_parameter(key: str) -> set[str]:
    """The stages that depend on a dotted parameter."""
    return {
        name
        for name, stage in GRAPH.items()
        if any(
            f"{key}.".startswith(f"{declared.partition('${')[0].rstrip('.')}.") for declared in stage.get("params", [])
        )
    }


def downstream_of(names: set[str]) -> set[str]:
    """The stages that depend on outputs of the named ones, directly or not."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        outputs = outputs_of(waiting.pop())
        found_now = {
            name
            for name, stage in GRAPH.items()
            for dep in stage["deps"]
            if any(contains(out, dep) or contains(dep, out) for out in outputs)
        }
        waiting |= found_now - found
        found |= found_now
    return found


def test_each_stage_of_the_graph_has_a_command():
    assert set(GRAPH) == set(stages.STAGES)
    for name, stage in GRAPH.items():
        words = stage["cmd"].split()
        assert words[0] == "homei"
        assert "_".join(words[1:3] if words[1] == "render" else words[1:2]) == name


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_depends_on_the_packages_that_it_imports(stage):
    declared = {dep for dep in GRAPH[stage]["deps"] if dep.startswith("src/")}
    assert declared == packages_behind(stage), f"correct the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_notebook_stage_depends_on_its_notebook_and_writes_its_page(stage):
    definition = stages.STAGES[stage]
    if isinstance(definition, stages.Notebook):
        assert definition.path.as_posix() in GRAPH[stage]["deps"]
        assert outputs_of(stage) == {definition.page.as_posix()}


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_declares_parameters_that_exist_and_that_its_code_takes(stage):
    declared = stages.declared(stage, PROJECT / "dvc.yaml")
    for key in declared:
        values = PARAMS
        for name in key.replace("${item.table}", "sales").split("."):
            assert name in values, f"{stage}: params.yaml has no {key}"
            values = values[name]
    definition = stages.STAGES[stage]
    if isinstance(definition, stages.Script):
        arguments = inspect.signature(import_module(definition.module).run).parameters
        if not any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values()):
            assert {key.split(".")[0] for key in declared} == {*arguments} & {*params.SECTIONS}


def test_a_parameter_that_is_not_declared_cannot_be_read():
    sections = stages.restricted(params.check(PARAMS), ["seed", "city.as_of", "city.coordinates", "split"])
    assert sections.seed == PARAMS["seed"]
    assert sections.city.as_of.isoformat() == PARAMS["city"]["as_of"]
    assert sections.split.hold_out_months == PARAMS["split"]["hold_out_months"]
    assert not hasattr(sections, "features")
    with pytest.raises(UndeclaredError, match=r"CityConfig.title is not declared in the stage's `params` in dvc\.yaml"):
        _ = sections.city.title


def test_package_initialisers_hold_nothing_but_a_sentence():
    for path in SRC.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert [type(node) for node in body] == [ast.Expr], f"{path}: no stage declares it, so it must do nothing"


def test_no_computation_depends_on_a_page():
    for name, stage in GRAPH.items():
        assert not [dep for dep in stage["deps"] if dep.endswith(".html")], name


@pytest.mark.parametrize("name", ["templates/page.css", "templates/card.html.j2", "charts.py"])
def test_an_edit_of_a_style_or_template_reruns_only_rendering(name):
    assert name.startswith("charts") or (SRC / "homei/reporting" / name).exists()
    changed = rerun_by_file(f"src/homei/reporting/{name}")
    assert changed == RENDERING
    assert downstream_of(changed) == set()


def test_an_edit_of_the_service_s_parameters_reruns_only_the_package_and_what_follows():
    for key in PARAMS["serve"]:
        assert rerun_by_parameter(f"serve.{key}") == {"package"}
    assert downstream_of({"package"}) == {"publish", "card", "site"}


def test_an_edit_of_a_feed_s_delay_reruns_no_training():
    changed = rerun_by_parameter("feeds.listings.1.delay")
    assert changed == {"fetch", "ingest", "validate"}


def test_an_edit_of_the_title_reruns_no_feature():
    assert rerun_by_parameter("city.title") == {"package", *RENDERING}


def test_the_graph_and_its_lock_are_of_a_size_that_people_can_read():
    assert len((PROJECT / "dvc.yaml").read_text().splitlines()) <= 400
    assert len((PROJECT / "dvc.lock").read_text().splitlines()) <= 3200


def test_a_stage_is_described_by_a_sentence():
    for name, stage in GRAPH.items():
        assert re.fullmatch(r"[A-Z].{10,110}[^.]", stage["desc"]), name
