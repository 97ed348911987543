"""A standalone Spark cluster on this machine: a master, and workers of one core each."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyspark

from homei.spark import java

SPARK_CLASS = Path(pyspark.__file__).parent / "bin/spark-class"
HOST = "127.0.0.1"
START_SECONDS = 60


class Cluster(NamedTuple):
    """The master's URL, and the process ids of master and workers."""

    url: str
    processes: list[int]


@contextlib.contextmanager
def running_cluster(n_workers: int, folder: Path, env: Mapping[str, str]) -> Iterator[Cluster]:
    """Runs a cluster until the block ends; its workers have folders of their own."""
    with socket.socket() as free_port:
        free_port.bind((HOST, 0))
        port = free_port.getsockname()[1]
    url, running = f"spark://{HOST}:{port}", []
    try:
        running.append(_start(["master.Master", "--port", str(port)], folder / "master", env))
        for number in range(1, n_workers + 1):
            options = ["--cores", "1", "--memory", "4g", url]
            running.append(_start(["worker.Worker", *options], folder / f"worker-{number}", env))
        for number in range(1, n_workers + 1):
            _wait_for("Successfully registered with master", folder / f"worker-{number}" / "log")
        yield Cluster(url, [process.pid for process in running])
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


def _start(daemon: list[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    own = {"SPARK_LOCAL_DIRS": str(folder), "SPARK_WORKER_DIR": str(folder), "SPARK_LOCAL_IP": HOST}
    own |= {"JAVA_HOME": str(java.find()), "PATH": os.environ["PATH"]}
    command = [
        str(SPARK_CLASS),
        f"org.apache.spark.deploy.{daemon[0]}",
        "--host",
        HOST,
        "--webui-port",
        "0",
        *daemon[1:],
    ]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, env={**env, **own}, cwd=folder, stdout=log, stderr=log)


def _wait_for(message: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while message not in log.read_text(errors="replace"):
        if time.monotonic() > end:
            raise TimeoutError(f"{log} does not say {message!r}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)
