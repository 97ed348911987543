"""A cluster with its lake on S3 computes the same rows as one machine with its lake in a folder."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import spark_cluster
from project_copy import PROJECT, run

from homei.storage import lake, snapshots

pytestmark = pytest.mark.nightly

TABLES = (lake.RESOLVED_SALES, lake.MARKET_HISTORY, lake.PREVIOUS_SALES, lake.TRAINING_SET)
# Writes the resolved sales to the lake; prints whether executors see the driver's folder, and where their homei is.
MOVE_SALES = """
import os, sys
from homei.pipeline import stages
from homei.spark.session import session
from homei.storage import lake, spark_tables

p = stages.parameters("features")
engine = session(p.spark, p.storage)
sales = engine.createDataFrame(lake.read(lake.RESOLVED_SALES))
spark_tables.write(spark_tables.SparkTable(sales, lake.RESOLVED_SALES, ["transaction_id"]), p.storage)

def look(folder):
    import homei
    return os.path.exists(folder), homei.__file__.split(os.sep)[-3]

print(engine.sparkContext.parallelize([sys.argv[1]] * 2, 2).map(look).collect())
"""


@pytest.fixture
def cluster(s3, required, tmp_path_factory):
    """A cluster whose workers share nothing with the tests' folders, and find the S3 server in their environment."""
    required(spark_cluster.can_hide_folders(), "permission for mount namespaces", "run as root, or allow `unshare`")
    with spark_cluster.running(hidden=tmp_path_factory.getbasetemp()) as cluster:
        yield cluster


@pytest.fixture
def projects(demo_lake, tmp_path):
    """Makes a project folder with a small city up to its resolved sales, for a lake and a Spark."""

    def make(name: str, *groups: str) -> Path:
        folder = shutil.copytree(demo_lake, tmp_path / name, symlinks=True)
        shutil.copytree(PROJECT / "params", folder / "params")
        shutil.copy2(PROJECT / "dvc.yaml", folder)
        run(["homei", "compose", *groups], folder)
        return folder

    return make


class Rows(NamedTuple):
    """What a receipt says of a table's rows, without the lake's address."""

    digest: str
    rows: int
    columns: dict[str, str]


def build_features(project: Path) -> tuple[dict[Path, Rows], str]:
    """The rows of the tables that the stage `features` reads and writes, and what executors saw."""
    seen = run([sys.executable, "-c", MOVE_SALES, str(project.parent)], project).stdout.strip()
    run(["homei", "features"], project)
    receipts = {table: snapshots.read_receipt(project / table) for table in TABLES}
    return {table: Rows(receipt.digest, receipt.rows, receipt.columns) for table, receipt in receipts.items()}, seen


def test_a_cluster_with_a_lake_on_s3_computes_the_same_rows(projects, cluster, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("HOMEI_LAKE", f"file://{tmp_path}/lake")
    expected, _ = build_features(projects("alone", "lake=folder"))

    monkeypatch.setenv("HOMEI_LAKE", f"{s3.url}/lake")
    monkeypatch.setenv("HOMEI_SPARK_MASTER", cluster.url)
    rows, seen = build_features(projects("driver", "lake=s3", "spark=cluster", "spark.shuffle_partitions=6"))
    assert rows == expected
    assert s3.keys(f"lake/{lake.TRAINING_SET}/files/")
    assert all(cluster.executors()), "a worker of the cluster had nothing to do"
    assert seen == str([(False, "homei.zip")] * 2), "executors see the driver's folder, or have another homei"
