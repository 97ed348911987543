"""Jars for S3: Maven fetches them once, and only those of the checksums are used."""

import hashlib
import sys
from pathlib import Path

import pyspark
import pytest
from click.testing import CliRunner

from homei.cli.main import cli
from homei.spark import jars

CONTENT = b"a jar"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """An empty project on a machine without Maven; two jars are needed."""
    checksums = tmp_path / "sha256sums"
    checksums.write_text("".join(f"{hashlib.sha256(CONTENT).hexdigest()}  {name}.jar\n" for name in ("one", "two")))
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jars, "CHECKSUMS", checksums)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin:/usr/bin")
    monkeypatch.setattr(jars.shutil, "which", lambda name: next(map(str, (tmp_path / "bin").glob(name)), None))
    return tmp_path


def install_maven(machine: Path, script: str) -> None:
    """Puts a program `mvn` on PATH; in its script, $folder is where the jars go."""
    program = machine / "bin/mvn"
    program.write_text(f'#!/bin/sh\nfor last; do folder="${{last#-DoutputDirectory=}}"; done\n{script}\n')
    program.chmod(0o755)


def test_missing_jars_are_an_error_with_a_remedy(machine):
    with pytest.raises(jars.JarsError, match=r"needs 2 jars for S3; one\.jar is not in \.tools/jars: run `make parts`"):
        jars.s3a_jars()


def test_a_machine_without_maven_is_told_what_to_do(machine):
    result = CliRunner().invoke(cli, ["jars"])
    assert result.exit_code == 1
    assert "Maven (mvn) is not on PATH: install it" in result.output
    assert "or copy the jars that" in result.output


def test_jars_are_fetched_once(machine):
    install_maven(machine, "echo called >> calls; printf 'a jar' > $folder/one.jar; printf 'a jar' > $folder/two.jar")
    fetched = jars.fetch_s3a_jars()
    assert fetched == jars.fetch_s3a_jars() == jars.s3a_jars()
    assert [path.relative_to(machine) for path in fetched] == [Path(f".tools/jars/{x}.jar") for x in ("one", "two")]
    assert (machine / "calls").read_text() == "called\n"


def test_a_jar_with_another_checksum_is_not_used(machine):
    install_maven(machine, "printf 'a jar' > $folder/one.jar; printf 'another jar' > $folder/two.jar")
    with pytest.raises(jars.JarsError, match=r"Maven fetched no two\.jar with the SHA-256 in .*sha256sums"):
        jars.fetch_s3a_jars()
    assert not list(machine.glob(".tools/jars/*"))


def test_a_damaged_jar_is_fetched_again(machine):
    install_maven(machine, "printf 'a jar' > $folder/one.jar; printf 'a jar' > $folder/two.jar")
    damaged = jars.fetch_s3a_jars()[0]
    damaged.write_bytes(b"half a j")
    jars.fetch_s3a_jars()
    assert damaged.read_bytes() == CONTENT


def test_an_error_of_maven_is_shown(machine):
    install_maven(machine, "echo 'Could not transfer artifact'; exit 1")
    with pytest.raises(jars.JarsError, match="Maven could not fetch the jars for S3:\nCould not transfer artifact"):
        jars.fetch_s3a_jars()


def test_the_jars_are_of_pysparks_hadoop():
    ours = [name for name in jars._checksums() if name.startswith("hadoop-aws-")]
    theirs = Path(pyspark.__file__).parent.glob("jars/hadoop-client-api-*.jar")
    assert ours == [path.name.replace("client-api", "aws") for path in theirs]


def test_pyspark_has_none_of_the_jars():
    def artifact(name: str) -> str:
        return name.rpartition("-")[0]

    theirs = {artifact(path.name) for path in Path(pyspark.__file__).parent.glob("jars/*.jar")}
    assert not theirs & set(map(artifact, jars._checksums()))
