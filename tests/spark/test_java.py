"""Spark uses the machine's Java or the project's JRE, which is installed if there is none."""

import sys
import types
from pathlib import Path

import pytest

from homei.spark import java


def make_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return home


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    return tmp_path


def test_java_home_comes_first(bare_machine, monkeypatch):
    home = make_java(bare_machine / "jdk", "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find() == home


def test_an_old_java_is_ignored(bare_machine, monkeypatch):
    monkeypatch.setenv("PATH", f"{make_java(bare_machine / 'old', '1.8.0_392')}/bin")
    assert java.find() is None


def test_the_projects_jre_is_found_without_environment_variables(bare_machine):
    home = make_java(bare_machine / ".tools/jre/jdk-17-jre", "17.0.9")
    assert java.find().resolve() == home.resolve()


def test_a_copy_for_a_queued_experiment_finds_the_original_projects_jre(bare_machine, monkeypatch):
    home = make_java(bare_machine / "project/.tools/jre/jdk-17-jre", "17.0.9")
    monkeypatch.setattr(sys, "prefix", str(bare_machine / "project/.venv"))
    assert java.find() == home


def test_a_jre_is_installed_and_reported_if_there_is_none(bare_machine, monkeypatch, capsys):
    def install(version, *, jre, path):
        assert (version, jre) == ("17", True)
        return str(make_java(Path(path) / "jdk-17-jre", "17.0.9"))

    # Tests don't download Java.
    monkeypatch.setitem(sys.modules, "jdk", types.SimpleNamespace(install=install))
    assert java.ensure() == Path(".tools/jre/jdk-17-jre")
    assert "installing a JRE into .tools/jre" in capsys.readouterr().err
    assert java.find() is not None


def test_a_failed_installation_is_an_error_with_a_remedy(bare_machine, monkeypatch):
    def install(version, *, jre, path):
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "jdk", types.SimpleNamespace(install=install))
    with pytest.raises(java.NoJavaError, match="install one and set JAVA_HOME"):
        java.ensure()
