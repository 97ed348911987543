"""The command line: help, errors before any work, and the code of the current folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from homei.pipeline import stages

PROJECT = Path(__file__).parents[2]


def homei(*arguments, folder):
    return subprocess.run([sys.executable, "-m", "homei", *arguments], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path):
    shutil.copytree(PROJECT / "params", tmp_path / "params")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def test_help_names_every_stage_and_shows_examples(project):
    printed = homei("--help", folder=project).stdout
    assert "Examples:" in printed
    for stage in [*stages.STAGES, "render"]:
        assert stage.startswith("render_") or f"  {stage}" in printed


def test_compose_applies_overrides_and_check_finds_the_difference(project):
    assert homei("compose", "--check", folder=project).returncode == 0
    assert homei("compose", "city=hdb", "tuning.trials=2", folder=project).returncode == 0
    values = yaml.safe_load((project / "params.yaml").read_text())
    assert (values["city"]["name"], values["tuning"]["trials"]) == ("hdb", 2)
    stale = homei("compose", "--check", folder=project)
    assert stale.returncode != 0
    assert "run `homei compose`" in stale.stderr


def test_an_invalid_parameter_stops_a_stage_before_it_changes_anything(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("max_rejected_share", "max_rejected_shore"))
    stopped = homei("validate", folder=project)
    assert stopped.returncode == 1
    assert "validate.max_rejected_shore: there is no such key; did you mean max_rejected_share?" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (project / "data").exists()


def test_a_stage_without_its_inputs_says_what_builds_them(project):
    stopped = homei("validate", folder=project)
    assert stopped.returncode == 1
    assert "data/raw/sales does not exist: run `dvc repro` to build it" in stopped.stderr


def test_a_copy_of_the_project_runs_its_own_code(project):
    shutil.copytree(PROJECT / "src", project / "src", ignore=shutil.ignore_patterns("__pycache__"))
    cli = project / "src/homei/cli/main.py"
    cli.write_text(cli.read_text().replace("\nExamples:", "\nExamples of the copy:"))
    assert "Examples of the copy:" in homei("--help", folder=project).stdout


def test_the_command_line_loads_nothing_heavy_before_a_command_runs():
    """Each stage is a process of its own, which would pay for what other commands need."""
    code = (
        "import homei.cli.main, sys; print(*{'numpy', 'pandas', 'pyarrow', 'sqlalchemy', 'scipy'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
