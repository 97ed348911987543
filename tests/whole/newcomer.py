"""A newcomer's copy of the project, and how commands run in it."""

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
MAKES_OWN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


def copy_of_the_project(folder: Path) -> Path:
    """What git would hand to a newcomer, committed in a repository of its own."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    run(["git", "init", "-q", "-b", "main"], folder)
    run(["git", "add", "-A"], folder)
    run(["git", "-c", "user.name=homei", "-c", "user.email=homei@localhost", "commit", "-qm", "copy"], folder)
    return folder


def run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command in the folder; what it printed is shown where it fails.

    Into files: at the end of a pipe one would wait for what a command leaves behind, too, such as a worker of DVC's
    queue, which lives on for good where its monitor dies (treeverse/dvc, issue 10428).
    """
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        code = subprocess.run(command, cwd=folder, env=environment(), stdout=said, stderr=complained).returncode
        told = []
        for file in (said, complained):
            file.seek(0)
            told.append(file.read())
    assert not check or code == 0, f"{command}:\n{told[0][-3000:]}\n{told[1][-6000:]}"
    return subprocess.CompletedProcess(command, code, *told)


def changes(folder: Path) -> str:
    """What git finds changed, or new, in the folder."""
    return run(["git", "status", "--porcelain"], folder).stdout


def environment() -> dict[str, str]:
    """This environment, as `make` would give it, but in another time zone and under another hash seed.

    Without what a `make test` tells the makes below it, which would speak of levels and folders.
    """
    outer = {name: value for name, value in os.environ.items() if name not in MAKES_OWN}
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
