"""`homei verify` names every changed byte of outputs and cache, even where DVC sees no change."""

import os
import subprocess
from pathlib import Path

import pytest

from homei.pipeline import verify

GRAPH = """
stages:
  table:
    cmd: mkdir -p data/table && echo sales > data/table/part-0 && echo more > data/table/part-1 && echo 1 > model.txt
    outs:
      - data/table
      - model.txt
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    (folder / "dvc.yaml").write_text(GRAPH)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def flip_a_byte(path: Path) -> bytes:
    """Flips a bit of the file, keeping its times and its size, and returns the old bytes."""
    before, stat = path.read_bytes(), path.stat()
    path.chmod(0o644)
    path.write_bytes(bytes([before[0] ^ 1]) + before[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return before


def differences(folder):
    return [*verify.outputs_that_differ(folder), *verify.cache_objects_that_differ(folder)]


def test_what_was_just_built_has_no_difference(built):
    assert differences(built) == []


@pytest.mark.parametrize("output", ["data/table/part-1", "model.txt"])
def test_a_flipped_byte_in_an_output_is_named(built, output):
    before = flip_a_byte(built / output)
    messages = differences(built)
    (built / output).write_bytes(before)
    assert len(messages) == 1
    assert messages[0].startswith("model.txt" if output == "model.txt" else "data/table")


def test_a_flipped_byte_in_the_cache_is_named(built):
    target = sorted(path for path in (built / verify.CACHE).glob("??/*") if path.suffix != ".dir")[0]
    before = flip_a_byte(target)
    messages = differences(built)
    target.write_bytes(before)
    assert len(messages) == 1
    assert str(target.relative_to(built)) in messages[0]


def test_a_missing_output_and_one_file_too_many_are_named(built):
    (built / "data/table/part-2").write_text("stray")
    (built / "model.txt").rename(built / "model.away")
    messages = differences(built)
    (built / "data/table/part-2").unlink()
    (built / "model.away").rename(built / "model.txt")
    assert len(messages) == 2
    assert any("model.txt" in line and "does not exist" in line for line in messages)


def test_a_folder_beside_a_file_of_like_name_is_hashed_as_dvc_hashes_it(built):
    for name in ("part.json", "part/0", "part-1"):
        (built / "named" / name).parent.mkdir(parents=True, exist_ok=True)
        (built / "named" / name).write_text(name)
    subprocess.run(["dvc", "add", "-q", "named"], cwd=built, check=True, capture_output=True)
    assert verify.md5(built / "named") in (built / "named.dvc").read_text()


def test_nothing_built_yet_is_said(tmp_path):
    assert "nothing was built yet" in next(verify.outputs_that_differ(tmp_path))


def test_changed_code_and_parameters_are_named_with_their_stage(tmp_path):
    (tmp_path / "src/app").mkdir(parents=True)
    (tmp_path / "src/app/code.py").write_text("one\n")
    (tmp_path / "params.yaml").write_text("city: {as_of: 1, title: A}\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages: {build: {cmd: echo > out, deps: [src/app], params: [city.as_of], outs: [out]}}"
    )
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "src/app/__pycache__").mkdir()
    (tmp_path / "src/app/__pycache__/code.pyc").write_text("ignored")
    (tmp_path / "params.yaml").write_text("city: {as_of: 1, title: B}\n")
    assert verify.changed_inputs(tmp_path) == []
    (tmp_path / "src/app/code.py").write_text("two\n")
    (tmp_path / "params.yaml").write_text("city: {as_of: 2, title: B}\n")
    assert verify.changed_inputs(tmp_path) == [
        "build: src/app has changed since it ran",
        "build: the parameter city.as_of has changed since it ran",
    ]
