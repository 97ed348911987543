"""Servers under test, each a process tree on a free port of loopback, with the CPU time that it has used."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Server:
    """Where one answers, and its first process."""

    url: str
    process: int

    def cpu(self) -> float:
        """Seconds of CPU that it and its children have used, which what else the machine does hardly moves."""
        first = psutil.Process(self.process)
        return sum(sum(each.cpu_times()[:2]) for each in (first, *first.children(recursive=True)))


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, environment: Mapping[str, str], probe: str) -> Iterator[Server]:
    """Runs a Python module with a `--port` of its own until the block ends; it is there once `probe` is answered."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    whole = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(whole, cwd=folder, env={**os.environ, **environment}, **quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url + probe, process)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen, seconds: int = 90) -> None:
    for _ in range(seconds * 5):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"no answer at {url}: is the Bento whole? `homei verify` tells")
