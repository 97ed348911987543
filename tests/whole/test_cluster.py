"""A Spark cluster, a master and a worker apart from homei, builds the same bytes as Spark within homei."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyspark
import pytest
from newcomer import environment, free_port, run

from homei import java, lake

pytestmark = pytest.mark.slow

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DAEMONS = "org.apache.spark.deploy"
TABLES = (lake.READY, lake.MARKET_INDEX, lake.MARKET_HISTORY, lake.PREVIOUS_SALES, lake.PLACES)


class Cluster(NamedTuple):
    """A master's URL, and where its worker keeps a folder for each application that ran there."""

    url: str
    work: Path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A standalone cluster on this machine, with one worker."""
    folder = tmp_path_factory.mktemp("cluster")
    address = f"spark://127.0.0.1:{free_port()}"
    here = ["--host", "127.0.0.1", "--webui-port", "0"]
    started = [
        daemon(folder, f"{DAEMONS}.master.Master", *here, "--port", address.rpartition(":")[2]),
        daemon(folder, f"{DAEMONS}.worker.Worker", *here, "-c", "2", "-m", "2g", "--work-dir", str(folder), address),
    ]
    try:
        until = time.monotonic() + 60
        while "Successfully registered with master" not in (folder / "Worker.log").read_text():
            assert time.monotonic() < until, (folder / "Worker.log").read_text()
            time.sleep(0.2)
        yield Cluster(address, folder)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def daemon(folder: Path, name: str, *arguments: str) -> subprocess.Popen:
    own = {"JAVA_HOME": str(java.find().resolve()), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / f"{name.rpartition('.')[2]}.log").open("w") as log:
        return subprocess.Popen(
            [SPARK_CLASS, name, *arguments], cwd=folder, env=environment() | own, stdout=log, stderr=log
        )


def test_a_cluster_builds_the_same_bytes(city, cluster, monkeypatch):
    before = {table: lake.digest(city / table) for table in TABLES}
    monkeypatch.setitem(os.environ, "HOMEI_SPARK_MASTER", cluster.url)
    try:
        run(["homei", "compose", "spark=cluster"], city)
        run(["homei", "features"], city)
    finally:
        run(["git", "checkout", "-q", "params.yaml"], city)
    assert {table: lake.digest(city / table) for table in TABLES} == before
    assert list(cluster.work.glob("app-*")), "nothing ran on the cluster"
