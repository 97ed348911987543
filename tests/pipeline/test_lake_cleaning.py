"""`homei lake clean` keeps what a receipt needs: one in the workspace, or one of any commit."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from homei.cli.main import cli
from homei.config import params
from homei.pipeline import verify
from homei.storage import lake, remote_files, snapshots
from homei.storage.snapshots import DataFile

GROUPS = Path(__file__).parents[2] / "params"
SALES = lake.RESOLVED_SALES


@pytest.fixture
def uri(tmp_path, monkeypatch):
    """A lake; the current folder is a project with DVC whose tables are in it."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    uri = f"file://{tmp_path}/lake"
    Path("params.yaml").write_text(params.compose(["lake=folder", f"storage.uri={uri}"], GROUPS))
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    return uri


def write(uri, name):
    """A table of one file with this name as its content."""
    table = f"{uri}/{SALES}"
    file = Path(name)
    file.write_text(name)
    path = f"files/write-{name}/part.parquet"
    remote_files.upload(file, f"{table}/{path}")
    sha256 = remote_files.sha256(f"{table}/{path}")
    receipt = snapshots.receipt_of(table, {"id": "string"}, ["id"], 1, name)
    return snapshots.commit(receipt, [DataFile(path, 1, len(name), sha256)], SALES, None)


def commit(storage):
    """Commits the receipt as the output of a stage with these parameters of its lake; returns its listing in DVC."""
    digest = verify.md5(SALES.parent)
    stage = {"params": {"params.yaml": {"storage": storage}}, "outs": [{"path": str(SALES.parent), "md5": digest}]}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"resolve": stage}}))
    name = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    subprocess.run(["git", *name, "commit", "-qm", "a run"], check=True)
    return digest


def put_into_cache(content: bytes, digest: str):
    path = verify.CACHE / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def clean(*options):
    return CliRunner().invoke(cli, ["lake", "clean", "--days", "0", *options])


def test_unused_files_are_listed_and_only_removed_on_request(uri):
    old, new = write(uri, "old"), write(uri, "new")
    listed = clean().output
    assert old.manifest_uri in listed
    assert new.manifest_uri not in listed
    assert "2 files" in listed
    assert "can be removed with --remove" in listed
    assert "removed" in clean("--remove").output
    assert "0 files" in clean().output
    assert len(list(remote_files.find(uri))) == 2


def test_nothing_is_old_after_a_moment(uri):
    write(uri, "old")
    write(uri, "new")
    assert "0 files" in clean("--days", "1").output


def test_a_snapshot_of_a_commit_is_kept_and_must_be_known(uri):
    write(uri, "old")
    digest, receipt = commit({"uri": uri}), (SALES / "receipt.json").read_bytes()
    write(uri, "new")
    unknown = clean()
    assert unknown.exit_code == 1
    assert "1 outputs that commits name are not in DVC's cache" in str(unknown.exception)
    assert "2 files" in clean("--ignore-history").output

    md5 = "0123456789abcdef0123456789abcdef"
    put_into_cache(json.dumps([{"md5": md5, "relpath": "sales/receipt.json"}]).encode(), digest)
    assert clean().exit_code == 1
    put_into_cache(receipt, md5)
    assert "0 files" in clean().output


def test_commits_whose_lake_was_the_workspace_need_no_cache(uri):
    write(uri, "old")
    commit({"uri": None, "uri_env": None})
    write(uri, "new")
    assert "2 files" in clean().output


def test_a_lake_in_the_workspace_is_left_to_dvc(uri):
    Path("params.yaml").write_text(params.compose(["lake=workspace"], GROUPS))
    assert "run `dvc gc`" in clean().output


def test_verify_names_a_changed_file_of_a_snapshot(uri):
    receipt = write(uri, "new")
    assert list(verify.snapshots_that_differ(Path.cwd())) == []
    path = Path(snapshots.uris(receipt)[0].removeprefix("file://"))
    path.write_text("other")
    (sentence,) = verify.snapshots_that_differ(Path.cwd())
    assert sentence.startswith(f"file://{path}: differs from its hash")
    Path(receipt.manifest_uri.removeprefix("file://")).unlink()
    (sentence,) = verify.snapshots_that_differ(Path.cwd())
    assert "the lake has lost this snapshot" in sentence
