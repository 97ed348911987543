"""The one Spark session of a process."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from homei.spark import java
from homei.spark.jars import s3a_jars

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from homei.spark.config import SparkConfig
    from homei.storage.config import StorageConfig

LOGGING = Path(__file__).resolve().with_name("log4j2.properties")
PACKAGE = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
PARTS_OF_LARGE_TABLES = 64


class SessionError(RuntimeError):
    """Spark can't be started: no Java or no master."""


def session(spark: SparkConfig, storage: StorageConfig | None = None) -> SparkSession:
    """The process's session, created on the first call; it can read the lake if that is on S3.

    Raises SessionError without Java or master, and JarsError without the jars for S3.
    """
    master = master_url(spark)
    home = java.find()
    if home is None:
        raise SessionError(f"Spark needs Java {java.MIN_VERSION} or newer, and none was found: run `make setup`")
    os.environ["JAVA_HOME"] = str(home)
    if master.startswith("local"):
        # Otherwise Spark resolves the host name and warns about a loopback address.
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("homei").master(master)
    is_external = storage is not None and storage.is_external
    settings = spark_settings(spark, master, is_external)
    if is_external and storage.location().startswith("s3://"):
        settings |= s3_settings(os.environ)
    for key, value in settings.items():
        builder = builder.config(key, value)
    engine = builder.getOrCreate()
    if not master.startswith("local"):
        _send_code(engine)
    return engine


def _send_code(engine: SparkSession) -> None:
    """Sends this process's homei to all executors, so that all machines compute with one version."""
    from pyspark import SparkFiles

    # Spark serves the file for as long as the session lives, and then deletes its root folder.
    archive = Path(SparkFiles.getRootDirectory()) / "code" / "homei.zip"
    if not archive.exists():
        shutil.make_archive(str(archive.with_suffix("")), "zip", PACKAGE.parent, PACKAGE.name)
        engine.sparkContext.addPyFile(str(archive))


def master_url(spark: SparkConfig) -> str:
    """The master's URL, declared or in the environment variable that is declared; raises SessionError."""
    if spark.master:
        return spark.master
    if not spark.master_env:
        raise SessionError("spark.master and spark.master_env are both empty: set one, local[*] for example")
    if not (master := os.environ.get(spark.master_env)):
        raise SessionError(
            f"{spark.master_env} is not set: export it with the master's URL, spark://host:7077 for example, "
            f"or choose spark=local"
        )
    return master


def is_local(spark: SparkConfig) -> bool:
    """Whether tasks run in this machine and see its folders; raises SessionError."""
    return master_url(spark).startswith("local")


def spark_settings(spark: SparkConfig, master: str, is_external: bool = False) -> dict[str, str]:
    """Spark's settings, also for the size of an external lake.

    No result depends on the machine or its time zone.
    """
    java_options = [f"-Dlog4j2.configurationFile={LOGGING.as_uri()}", "-XX:+UseParallelGC"]
    settings = {
        "spark.driver.memory": spark.driver_memory,
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.default.parallelism": str(spark.shuffle_partitions),
        "spark.sql.adaptive.enabled": "true",
        # Rows that a stage keeps on disk between its steps; Java's own serialiser takes several times as long.
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.rdd.compress": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
        if not is_external:
            # Java's optimising compiler costs small jobs more than it saves: 89,000 sales took 41 s of CPU time with it
            # and 28 s without it. With an external lake, it saves: features of a million sales took a third less.
            java_options.append("-XX:TieredStopAtLevel=1")
    if is_external:
        # The exchanges of large tables begin with many parts, which Spark joins where they are small.
        settings["spark.sql.adaptive.coalescePartitions.initialPartitionNum"] = str(PARTS_OF_LARGE_TABLES)
        settings["spark.sql.adaptive.coalescePartitions.parallelismFirst"] = "false"
    return settings | {"spark.driver.extraJavaOptions": " ".join(java_options)}


def s3_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings for S3; credentials stay in the environment, where the S3 client finds them."""
    settings = {
        "spark.jars": ",".join(str(jar) for jar in s3a_jars()),
        "spark.hadoop.fs.s3a.connection.timeout": "60s",
        "spark.hadoop.fs.s3a.connection.establish.timeout": "5s",
        "spark.hadoop.fs.s3a.attempts.maximum": "6",
    }
    if endpoint := environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"):
        # Servers other than Amazon's have no host name for each bucket.
        settings |= {"spark.hadoop.fs.s3a.endpoint": endpoint, "spark.hadoop.fs.s3a.path.style.access": "true"}
    if region := environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        settings["spark.hadoop.fs.s3a.endpoint.region"] = region
    return settings


def numbers(engine: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """A small pandas frame of numbers in Spark: integers as long, others as double, NaN as null."""
    from pyspark.sql import functions as F  # noqa: N812

    is_integer = {name: kind.kind == "i" for name, kind in frame.dtypes.items()}
    schema = ", ".join(f"`{name}` {'long' if is_integer[name] else 'double'}" for name in frame)
    rows = engine.createDataFrame(frame, schema)
    return rows.select(*(name if is_integer[name] else F.nanvl(name, F.lit(None)).alias(name) for name in frame))
