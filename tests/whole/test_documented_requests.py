"""The requests that the pages show are answered by the service of the demo city."""

import json
import re
import shutil
import subprocess

import pytest
from project_copy import PROJECT, environment, run, serving

pytestmark = pytest.mark.slow

SHELL_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
HOST = "localhost:3000"


def blocks(page: str) -> list[str]:
    """The shell blocks of a page."""
    return SHELL_BLOCK.findall((PROJECT / page).read_text(encoding="utf-8"))


def requests_of(page: str) -> list[str]:
    """Each curl command of a page that needs no token."""
    lines = "\n".join(blocks(page)).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ") and "$" not in line]


REQUESTS = sorted({request for page in ("README.md", "docs/api.md") for request in requests_of(page)})


@pytest.fixture(scope="module")
def url(rebuilt_city):
    with serving(rebuilt_city) as address:
        yield address


def response_of(script: str, url: str, **variables: str) -> str:
    command = script.replace(HOST, url.removeprefix("http://"))
    return subprocess.run(["sh", "-c", command], env=environment() | variables, capture_output=True, text=True).stdout


@pytest.mark.parametrize("request_line", REQUESTS)
def test_a_request_of_the_pages_succeeds(url, request_line):
    body, _, status = response_of(f"{request_line} -w '\\n%{{http_code}}'", url).rpartition("\n")
    assert (status, bool(body)) == ("200", True), body


def test_a_key_a_client_and_a_token_lead_to_a_valuation(rebuilt_city, tmp_path, monkeypatch):
    folder = shutil.copytree(rebuilt_city, tmp_path / "homei", symlinks=True)
    monkeypatch.setenv("HOMEI_KEYS", str(tmp_path / "keys"))
    run(["homei", "key", "new"], folder)
    secret = run(["homei", "client", "add", "partner", "--scope", "predict"], folder).stdout.split()[-1]
    (with_token,) = [block for block in blocks("docs/security.md") if "TOKEN=" in block]
    with serving(folder) as url:
        assert json.loads(response_of(requests_of("README.md")[0], url))["status"] == 401
        assert json.loads(response_of(with_token, url, SECRET=secret))["predicted_price"] > 0
    run(["homei", "audit", "verify"], folder)
