"""A DVC remote on S3, set up with the commands of docs/operations.md, brings a model back into a fresh clone."""

import filecmp
import re
import subprocess
from pathlib import Path

import pytest
import tcp_proxy
from project_copy import environment

pytestmark = pytest.mark.slow

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
MODEL = "models/valuation"


def run(command: str, folder: Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, shell=True, cwd=folder, env=environment() | variables, capture_output=True, text=True, check=False
    )
    assert not check or result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result


def documented_setup(url: str) -> str:
    """The commands of the page that set the remote up, for another bucket."""
    commands = re.findall(r"^dvc remote .*?(?= +#|$)", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands, f"{OPERATIONS} shows no `dvc remote`"
    return " && ".join(commands).replace("s3://bucket/homei", url)


@pytest.fixture
def proxy(s3, monkeypatch):
    """A proxy before the S3 server, to which the environment points."""
    with tcp_proxy.running(s3.server.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        yield proxy


@pytest.fixture
def project(tmp_path, s3, proxy) -> Path:
    """A committed project with a model and a remote on S3."""
    folder = tmp_path / "project"
    (folder / MODEL).mkdir(parents=True)
    (folder / MODEL / "model.txt").write_bytes(bytes(range(256)) * 400)
    (folder / MODEL / "metadata.json").write_text("{}\n")
    run("git init -q -b main && dvc init -q && dvc add -q models/valuation", folder)
    run(documented_setup(f"{s3.url}/homei"), folder)
    run("git add -A && git commit -qm project", folder)
    return folder


def test_push_and_pull_bring_a_model_back_into_a_fresh_clone(project, tmp_path, s3, proxy):
    secret = s3.server.environment["AWS_SECRET_ACCESS_KEY"]
    refused = run("dvc push", project, check=False, AWS_SECRET_ACCESS_KEY="wrong")
    assert refused.returncode
    assert "Forbidden" in refused.stderr
    assert not s3.keys(), "a client with a wrong secret wrote"

    proxy.resets = 2
    run("dvc push", project)
    assert proxy.resets < 0, "no connection was reset"
    assert len(s3.keys("homei/files/md5/")) == 3
    assert b"x-amz-server-side-encryption: AES256" in proxy.sent
    assert "AES256" in (project / ".dvc/config").read_text()

    run(f"git clone -q {project} clone && cd clone && dvc pull -q", tmp_path)
    same = filecmp.cmpfiles(project / MODEL, tmp_path / "clone" / MODEL, ["model.txt", "metadata.json"], shallow=False)
    assert same == (["model.txt", "metadata.json"], [], [])
    assert not [path for path in project.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
