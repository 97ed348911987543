"""A cluster whose machines share nothing but S3 computes the tables of one machine, from files to the analysts' tables.

Costs some minutes: each city is built by one process, whose stages share a Spark session.
"""

import shutil
import sys
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import spark_cluster
from project_copy import copy_project, run

from homei.storage import lake, snapshots

pytestmark = pytest.mark.nightly

N_SALES = 3_000
# Runs all stages as their commands do; prints whether executors see the driver's folder, and where their homei is.
BUILD = """
import os, sys
from homei.cli.main import cli
from homei.ingestion import file_parts_in_spark
from homei.pipeline import stages
from homei.spark.session import session
from homei.storage import lake

file_parts_in_spark.RANGE_BYTES = 100_000  # so that a small CSV file is divided
for stage in [*(["ingest", name] for name in lake.RAW), ["validate"], ["resolve"], ["features"], ["curate"]]:
    cli(stage, standalone_mode=False)

def look(folder):
    import homei
    return os.path.exists(folder), homei.__file__.split(os.sep)[-3]

p = stages.parameters("features")
context = session(p.spark, p.storage).sparkContext
print("seen:", context.parallelize([os.getcwd()] * 2, 2).map(look).collect())
"""
SMALL_TABLES = [lake.MARKET_INDEX, lake.ADJUSTMENTS, lake.FEED_COLUMNS]
REPORTS = ["reports/quality/quality.json", "reports/resolve/resolve.json"]


@pytest.fixture
def cluster(s3, required, tmp_path_factory):
    """A cluster whose workers share nothing with the tests' folders, and find the S3 server in their environment."""
    required(spark_cluster.can_hide_folders(), "permission for mount namespaces", "run as root, or allow `unshare`")
    with spark_cluster.running(hidden=tmp_path_factory.getbasetemp()) as cluster:
        yield cluster


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with the files of a small region: sales as CSV, others as Parquet, as a workbook and in a zip."""
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "test")
    folder = copy_project(tmp_path / "project")
    run(["homei", "simulate", "--sales", str(N_SALES), "--name", "region", "--format", "csv"], folder)
    declaration = folder / "params/city/region.yaml"
    text = declaration.read_text()
    for name, (suffix, convert) in OTHER_FILES.items():
        assert f"world/{name}/*.csv" in text
        text = text.replace(f"world/{name}/*.csv", f"world/{name}/*.{suffix}")
        for file in sorted(folder.glob(f"data/external/region/world/{name}/*.csv")):
            convert(file, file.with_suffix(f".{suffix}"))
            file.unlink()
    declaration.write_text(text)
    run(["homei", "compose", "city=region"], folder)
    run(["homei", "fetch", "region"], folder)
    return folder


def texts_of(file: Path) -> pa.Table:
    names = file.read_text(encoding="utf-8").partition("\n")[0].split(",")
    as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    return pyarrow.csv.read_csv(file, convert_options=as_text)


def to_parquet(file: Path, target: Path):
    pq.write_table(texts_of(file), target, row_group_size=200)


def to_excel(file: Path, target: Path):
    book, table = openpyxl.Workbook(), texts_of(file)
    for row in (table.column_names, *zip(*(column.to_pylist() for column in table.columns), strict=True)):
        book.active.append(row)
    book.save(target)


def to_zip(file: Path, target: Path):
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(file, file.name)


OTHER_FILES = {"portal": ("parquet", to_parquet), "rival": ("xlsx", to_excel), "leads": ("zip", to_zip)}


def build(project: Path, name: str, *groups: str) -> tuple[Path, str]:
    """A copy of the project with all its tables, and what executors saw."""
    folder = shutil.copytree(project, project.with_name(name), symlinks=True)
    run(["homei", "compose", "city=region", *groups], folder)
    return folder, run([sys.executable, "-c", BUILD], folder).stdout.rpartition("seen: ")[2].strip()


def rows_of(project: Path) -> dict[str, tuple[str, int, dict[str, str]]]:
    """What the receipts of all external tables say of their rows, without the lake's address."""
    tables = sorted(path.parent for path in (project / "data").rglob(snapshots.RECEIPT))
    receipts = {table.relative_to(project).as_posix(): snapshots.read_receipt(table) for table in tables}
    return {name: (receipt.digest, receipt.rows, receipt.columns) for name, receipt in receipts.items()}


def test_a_cluster_with_a_lake_on_s3_computes_the_same_rows(project, cluster, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("HOMEI_LAKE", f"file://{tmp_path}/lake")
    alone, _ = build(project, "alone", "lake=folder")

    monkeypatch.setenv("HOMEI_LAKE", f"{s3.url}/lake")
    monkeypatch.setenv("HOMEI_SPARK_MASTER", cluster.url)
    driver, seen = build(project, "driver", "lake=s3", "spark=cluster", "spark.shuffle_partitions=6")
    assert seen == str([(False, "homei.zip")] * 2), "executors see the driver's folder, or have another homei"
    assert all(cluster.executors()), "a worker of the cluster had nothing to do"

    rows = rows_of(driver)
    assert {str(lake.RAW["leads"]), str(lake.RESOLVED_SALES), str(lake.TRAINING_SET)} <= {*rows}
    assert rows == rows_of(alone)
    for table in SMALL_TABLES:
        assert lake.digest(driver / table) == lake.digest(alone / table), table
    for report in REPORTS:
        assert (driver / report).read_bytes() == (alone / report).read_bytes(), report
    assert s3.keys("lake/inputs/"), "tasks read no copies of files"
    assert not (tmp_path / "lake/inputs").exists(), "files were copied for tasks that see them"
