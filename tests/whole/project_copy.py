"""A copy of the project as a fresh clone has it, commands that run in it, and its service."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

PROJECT = Path(__file__).parents[2]
# Variables of an outer `make` and of the test run, which a fresh clone would not have.
NOT_PASSED_ON = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "OMP_NUM_THREADS")


def copy_project(folder: Path) -> Path:
    """Copies all files that git would track to `folder`, committed in a repository of its own."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    run(["git", "init", "-q", "-b", "main"], folder)
    commit(folder, "copy")
    return folder


def commit(folder: Path, message: str) -> None:
    run(["git", "add", "-A"], folder)
    run(["git", "commit", "-qm", message], folder)


def run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command in the folder; its output is shown if it fails.

    The output goes to files: a pipe would stay open as long as any process that the command leaves behind, such as a
    worker of DVC's queue, which never ends if its monitor dies (treeverse/dvc, issue 10428).
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        code = subprocess.run(command, cwd=folder, env=environment(), stdout=output, stderr=errors).returncode
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read())
    assert not check or code == 0, f"{command} exits with {code}:\n{texts[0][-3000:]}\n{texts[1][-6000:]}"
    return subprocess.CompletedProcess(command, code, *texts)


def git_changes(folder: Path) -> str:
    """The changed and new files of the folder, as git reports them."""
    return run(["git", "status", "--porcelain"], folder).stdout


def environment() -> dict[str, str]:
    """The environment that `make` gives its commands, but in another time zone and with another hash seed."""
    outer = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    return {
        **outer,
        "TZ": "Pacific/Chatham",
        "PYTHONHASHSEED": "4711",
        "GIT_AUTHOR_NAME": "homei",
        "GIT_AUTHOR_EMAIL": "homei@localhost",
        "GIT_COMMITTER_NAME": "homei",
        "GIT_COMMITTER_EMAIL": "homei@localhost",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "true",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of the folder's own service, started as `make serve` does."""
    port = free_port()
    command = ["homei", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(400):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            assert process.poll() is None, "homei serve ended"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
