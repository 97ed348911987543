"""A Redis process on loopback without persistence, which tests start, freeze and kill."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

from project_copy import free_port

PASSWORD = "open-sesame"


def binary() -> str | None:
    return shutil.which("redis-server")


class Redis:
    """A server on a free port; `url` contains its password."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._process: subprocess.Popen | None = None
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [binary(), "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--requirepass", PASSWORD, "--dir", self._folder]
        self._process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < end, "redis-server doesn't start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kills the process."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stops the process: it accepts connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextlib.contextmanager
def running() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory() as folder:
        server = Redis(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
