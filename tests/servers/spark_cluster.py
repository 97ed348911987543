"""A standalone Spark cluster on loopback: a master and workers that share no folder with the driver or each other."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyspark
from project_copy import environment, free_port

from homei.spark import java

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DAEMONS = "org.apache.spark.deploy"
MASTER = "127.0.0.1"
# In a mount namespace of its own, a process sees an empty folder in place of each folder in $HIDDEN.
PRIVATE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
HIDE = 'for folder in $HIDDEN; do mount -t tmpfs none "$folder"; done; exec "$@"'


class Cluster(NamedTuple):
    """A master's URL, and each worker's folder, in which it keeps a folder for each application."""

    url: str
    workers: list[Path]

    def executors(self) -> list[list[Path]]:
        """By worker, the working folders of the executors that ran on it."""
        return [sorted(worker.glob("work/app-*/*")) for worker in self.workers]


def can_hide_folders() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*PRIVATE, "true"], capture_output=True).returncode == 0


@contextlib.contextmanager
def running(hidden: Path, workers: int = 2) -> Iterator[Cluster]:
    """A cluster whose workers have one core each and see an empty folder in place of `hidden`, the driver's."""
    url = f"spark://{MASTER}:{free_port()}"
    processes = []
    with tempfile.TemporaryDirectory() as name:
        master, *homes = (Path(name) / home for home in ("master", *(f"worker-{n}" for n in range(1, workers + 1))))
        for home in (master, *homes):
            (home / "tmp").mkdir(parents=True)
        try:
            processes.append(_start(master, MASTER, [], "master.Master", "--port", url.rpartition(":")[2]))
            for number, home in enumerate(homes, start=2):
                options = ["--cores", "1", "--memory", "2g", "--work-dir", str(home / "work")]
                others = [hidden, *(other for other in homes if other != home)]
                # Executors at one address read each other's shuffle files from disk; these must send them.
                processes.append(_start(home, f"127.0.0.{number}", others, "worker.Worker", *options, url))
            for home in homes:
                _wait_for("Successfully registered with master", home / "log")
            yield Cluster(url, homes)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()


def _start(home: Path, host: str, hidden: list[Path], name: str, *arguments: str) -> subprocess.Popen:
    """Starts a daemon of Spark whose working, local and temporary folders are in `home`."""
    temporary = str(home / "tmp")
    variables = environment() | {
        "JAVA_HOME": str(java.find().resolve()),
        "SPARK_LOCAL_IP": host,
        "SPARK_LOCAL_DIRS": temporary,
        "SPARK_DAEMON_JAVA_OPTS": f"-Djava.io.tmpdir={temporary}",
        "TMPDIR": temporary,
        "HIDDEN": " ".join(map(str, hidden)),
    }
    daemon = [SPARK_CLASS, f"{DAEMONS}.{name}", "--host", host, "--webui-port", "0", *arguments]
    with (home / "log").open("w") as log:
        return subprocess.Popen(
            [*PRIVATE, "sh", "-ec", HIDE, "sh", *daemon], cwd=home, env=variables, stdout=log, stderr=log
        )


def _wait_for(message: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while message not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
