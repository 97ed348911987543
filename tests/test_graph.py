"""dvc.yaml declares what its stages read: the modules they import, their parameter sections, their templates."""

import ast
import json
from pathlib import Path

import pytest
import yaml

from homei import params, source, stages

PROJECT = Path(__file__).parents[1]
SRC = PROJECT / "src"
GRAPH = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]


KINDS = [where.partition(":")[0] for where in source.KINDS.values()]
MIGRATIONS = ["homei.warehouse.migrations.env"] + [
    f"homei.warehouse.migrations.versions.{path.stem}" for path in SRC.glob("homei/warehouse/migrations/versions/*.py")
]
# What a stage names and doesn't import: the Bento carries the service, the kinds of feeds are found by their names, the
# simulated city's servers are started around `fetch`, and Alembic runs migrations by their files.
NAMED = {
    "package": ["homei.serve.service"],
    "ingest": KINDS,
    "fetch": [*KINDS, "homei.demo.outside"],
    "publish": MIGRATIONS,
}


def imports_of(tree: ast.AST) -> set[str]:
    """The modules of homei that code imports, at the top or inside a function, but not for type checkers only."""
    unread = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "homei" and path_of(name)}


def path_of(module: str) -> Path | None:
    path = SRC / Path(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def closure(modules: set[str]) -> set[Path]:
    """Every module file that `modules` reach, themselves included."""
    reached: set[str] = set()
    waiting = set(modules)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= imports_of(ast.parse(path_of(module).read_text())) - reached
    return {path_of(module).relative_to(PROJECT) for module in reached}


def modules_of(stage: str) -> set[str]:
    """Where a stage's code begins."""
    found = stages.STAGES[stage]
    if isinstance(found, stages.Script):
        return {found.module} | {*NAMED.get(stage, ())}
    cells = json.loads((PROJECT / found.path).read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return imports_of(ast.parse(code)) | {"homei.notebooks"}


def declared(stage: str) -> set[Path]:
    return {Path(dep) for dep in GRAPH[stage]["deps"]}


def is_declared(path: Path, deps: set[Path]) -> bool:
    return path in deps or any(parent in deps for parent in path.parents)


def test_every_stage_is_in_the_graph_and_every_stage_of_the_graph_has_a_command():
    assert set(GRAPH) == set(stages.STAGES)
    for name, stage in GRAPH.items():
        assert stage["cmd"].split()[:2] == ["homei", name]


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_declares_every_module_that_it_imports(stage):
    missing = {str(path) for path in closure(modules_of(stage)) if not is_declared(path, declared(stage))}
    assert not missing, f"add to the deps of {stage} in dvc.yaml: {sorted(missing)}"


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_declares_no_module_that_it_does_not_import(stage):
    reached = closure(modules_of(stage))
    packages = {parent for path in reached for parent in path.parents}
    code = {dep for dep in declared(stage) if dep.parts[0] == "src" and (dep.suffix == ".py" or not dep.suffix)}
    assert not {str(dep) for dep in code if dep not in reached and dep not in packages and not has_no_python(dep)}


def has_no_python(folder: Path) -> bool:
    """Templates and styles, read and not imported."""
    return (PROJECT / folder).is_dir() and not list((PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_that_draws_pages_depends_on_their_templates(stage):
    if Path("src/homei/report/page.py") in closure(modules_of(stage)):
        assert is_declared(Path("src/homei/report/templates"), declared(stage))


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_notebook_stage_depends_on_its_notebook(stage):
    found = stages.STAGES[stage]
    if isinstance(found, stages.Notebook):
        assert found.path in declared(stage)


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_declares_the_parameter_sections_that_it_reads(stage, monkeypatch):
    monkeypatch.chdir(PROJECT)
    reads = stages.sections_of(stage)
    assert sorted(GRAPH[stage].get("params", [])) == sorted(reads)
    assert set(reads) <= set(params.SECTIONS)


def test_package_initialisers_hold_nothing_but_a_sentence():
    for path in SRC.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert [type(node) for node in body] == [ast.Expr], f"{path}: no stage declares it, so it must do nothing"


def test_nothing_depends_on_a_page_that_people_read():
    for name, stage in GRAPH.items():
        assert not [dep for dep in stage["deps"] if dep.endswith(".html")], name
