"""The documentation builds strictly, and every command, option, parameter, route and variable in it exists."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from homei.cli.main import cli
from homei.config import params
from homei.config.sections import SECTIONS, section_class

PROJECT = Path(__file__).parents[2]
DOCS = sorted(path for path in (PROJECT / "docs").rglob("*.md"))
PAGES = [PROJECT / "README.md", *DOCS]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "src").rglob("*.py"))
GROUPS = [path for group in ("lake", "spark") for path in (PROJECT / "params" / group).glob("*.yaml")]
PARAMETERS = "\n".join(path.read_text(encoding="utf-8") for path in [PROJECT / "params.yaml", *GROUPS])
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def code_of(text: str) -> list[str]:
    """The lines of code blocks and the inline code of a page."""
    return [line.strip() for block, inline in CODE.findall(text) for line in (block or inline).splitlines()]


def found(pattern: str) -> list[tuple[str, str]]:
    """Each distinct match of `pattern` in the code of a page, with the page's name."""
    matches = {
        (path.name, match)
        for path, text in TEXTS.items()
        for line in code_of(text)
        for match in re.findall(pattern, line)
    }
    return sorted(matches)


@pytest.fixture(scope="module")
def refresh():
    spec = importlib.util.spec_from_file_location("refresh", PROJECT / "docs" / "refresh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_builds_strictly_and_refers_to_no_other_host(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', html), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_of_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[page]):
        if "://" not in target and not target.startswith("<"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(("page", "line"), found(r"homei ([a-z]+(?: [^&|#\n]*)?)"))
def test_a_command_and_its_options_exist(page, line):
    words, command = line.split(), cli
    while words and isinstance(command, click.Group):
        name = words.pop(0)
        if name not in command.commands:
            pytest.fail(f"{page}: there is no command {line!r}")
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, f"{page}: homei {line}"


@pytest.mark.parametrize(("page", "key"), found(rf"^((?:{'|'.join(SECTIONS)})(?:\.[a-z_]+)+)$"))
def test_a_parameter_exists(page, key):
    section, *names = key.split(".")
    model = section_class(section)
    for name in names:
        fields = getattr(model, "model_fields", None)
        assert fields and name in fields, f"{page}: there is no parameter {key}"
        model = fields[name].annotation


@pytest.mark.parametrize(("page", "group", "choice"), [
    (page, *match.split("=")) for page, match in found(r"\b((?:city|lake|model|tuning|backtest|spark)=[a-z_]+)\b")
])  # fmt: skip
def test_a_parameter_group_has_the_choice(page, group, choice):
    if choice != "springfield":
        assert (PROJECT / "params" / group / f"{choice}.yaml").exists(), page


@pytest.mark.parametrize(("page", "variable"), found(r"\b(HOMEI_[A-Z_]+)\b"))
def test_an_environment_variable_is_read_by_the_code(page, variable):
    assert variable in SOURCES + PARAMETERS, page


@pytest.mark.parametrize(("page", "target"), found(r"^make ([a-z]+)"))
def test_a_make_target_exists(page, target):
    assert re.search(rf"(?m)^{target}:", (PROJECT / "Makefile").read_text(encoding="utf-8")), page


@pytest.mark.parametrize(("page", "route"), found(r"(/api/v1/[a-z/{}_-]+[a-z}])"))
def test_a_route_exists(page, route):
    segments = [segment for segment in route.split("/") if segment and "{" not in segment]
    assert all(f"/{segment}" in SOURCES for segment in segments), page


def test_generated_tables_are_current(refresh, monkeypatch):
    monkeypatch.chdir(PROJECT)
    results = refresh.extract(refresh.read(refresh.METRICS), refresh.read(refresh.BACKTEST))
    assert refresh.read(refresh.RESULTS / f"{results['source']}.json") == results, "run: python docs/refresh.py"
    for path, text in refresh.documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date: run python docs/refresh.py"


def test_screenshots_are_current(refresh):
    lock = yaml.safe_load((PROJECT / "dvc.lock").read_text(encoding="utf-8"))
    outputs = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    shown = json.loads((PROJECT / refresh.PICTURES).read_text(encoding="utf-8"))
    remedy = "run make repro, then python docs/refresh.py --pictures"
    assert shown["front-page.png"] == outputs["reports/site/index.html"], remedy


def test_a_feed_in_the_documentation_is_accepted():
    city, *examples = (
        yaml.safe_load(block)
        for page in ("your-city.md", "sources.md")
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```", TEXTS[PROJECT / "docs" / page], re.DOTALL | re.MULTILINE)
    )
    params.source(city)
    sales = city["feeds"]["sales"] | {"columns": {"price": "amount"}}
    for example in examples:
        own = city["city"] | {"attributes": {}} | example.pop("city", {})
        params.source(city | {"city": own, "feeds": {"sales": sales} | example})
