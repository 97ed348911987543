"""Servers under test: process trees on free loopback ports, with their CPU time."""

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
    """The URL of a running server and the id of its parent process."""

    url: str
    process: int

    def cpu(self) -> float:
        """CPU seconds of the server and its children; hardly affected by other load on the machine."""
        parent = psutil.Process(self.process)
        return sum(sum(process.cpu_times()[:2]) for process in (parent, *parent.children(recursive=True)))


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, environment: Mapping[str, str], probe: str) -> Iterator[Server]:
    """Runs a Python module with `--port` until the block ends; the block starts when `probe` responds."""
    with socket.socket() as free_port:
        free_port.bind(("127.0.0.1", 0))
        port = free_port.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command_line = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command_line, cwd=folder, env={**os.environ, **environment}, **quiet)
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
    raise RuntimeError(f"no response from {url}: run `homei verify` to check the Bento")
