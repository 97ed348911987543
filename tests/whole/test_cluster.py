"""A Spark cluster, a master and a worker apart from homei, builds the same bytes as Spark within homei."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyspark
import pytest
from project_copy import environment, free_port, run

from homei.spark import java
from homei.storage import lake

pytestmark = pytest.mark.slow

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DAEMONS = "org.apache.spark.deploy"
TABLES = (lake.TRAINING_SET, lake.MARKET_INDEX, lake.MARKET_HISTORY, lake.PREVIOUS_SALES, lake.PLACES)


class Cluster(NamedTuple):
    """A master's URL, and the folder in which its worker keeps a folder for each application."""

    url: str
    work_folder: Path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A standalone cluster on this machine, with one worker."""
    folder = tmp_path_factory.mktemp("cluster")
    address = f"spark://127.0.0.1:{free_port()}"
    local = ["--host", "127.0.0.1", "--webui-port", "0"]
    processes = [
        daemon(folder, f"{DAEMONS}.master.Master", *local, "--port", address.rpartition(":")[2]),
        daemon(folder, f"{DAEMONS}.worker.Worker", *local, "-c", "2", "-m", "2g", "--work-dir", str(folder), address),
    ]
    try:
        deadline = time.monotonic() + 60
        while "Successfully registered with master" not in (folder / "Worker.log").read_text():
            assert time.monotonic() < deadline, (folder / "Worker.log").read_text()
            time.sleep(0.2)
        yield Cluster(address, folder)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def daemon(folder: Path, name: str, *arguments: str) -> subprocess.Popen:
    variables = {"JAVA_HOME": str(java.find().resolve()), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / f"{name.rpartition('.')[2]}.log").open("w") as log:
        return subprocess.Popen(
            [SPARK_CLASS, name, *arguments], cwd=folder, env=environment() | variables, stdout=log, stderr=log
        )


def test_a_cluster_builds_the_same_bytes(small_copy, cluster, monkeypatch):
    before = {table: lake.digest(small_copy / table) for table in TABLES}
    monkeypatch.setenv("HOMEI_SPARK_MASTER", cluster.url)
    values = (small_copy / "params.yaml").read_text()
    local = "master: local[*]\n  master_env: null\n"
    assert local in values, "the test replaces this part of params.yaml"
    (small_copy / "params.yaml").write_text(values.replace(local, "master: null\n  master_env: HOMEI_SPARK_MASTER\n"))
    run(["homei", "features"], small_copy)
    assert {table: lake.digest(small_copy / table) for table in TABLES} == before
    assert list(cluster.work_folder.glob("app-*")), "nothing ran on the cluster"
