"""The one Spark session of a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from homei.spark import java

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from homei.spark.config import SparkConfig

LOGGING = Path(__file__).resolve().with_name("log4j2.properties")
LOOPBACK = "127.0.0.1"


class SessionError(RuntimeError):
    """Spark can't be started: no Java or no master."""


def session(spark: SparkConfig) -> SparkSession:
    """The process's session, created on the first call; raises SessionError without Java or master."""
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
    for key, value in spark_settings(spark, master).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


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


def spark_settings(spark: SparkConfig, master: str) -> dict[str, str]:
    """Spark's settings: results depend on neither the machine nor its time zone."""
    java_options = [f"-Dlog4j2.configurationFile={LOGGING.as_uri()}", "-XX:+UseParallelGC"]
    settings = {
        "spark.driver.memory": spark.driver_memory,
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.default.parallelism": str(spark.shuffle_partitions),
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
        # Java's optimising compiler costs small jobs more than it saves: 89,000 sales took 41 s of CPU time with it and
        # 28 s without it; a million took 130 s and 146 s.
        java_options.append("-XX:TieredStopAtLevel=1")
    return settings | {"spark.driver.extraJavaOptions": " ".join(java_options)}


def numbers(engine: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """A small pandas frame of numbers in Spark: integers as long, others as double, NaN as null."""
    from pyspark.sql import functions as F  # noqa: N812

    is_integer = {name: kind.kind == "i" for name, kind in frame.dtypes.items()}
    schema = ", ".join(f"`{name}` {'long' if is_integer[name] else 'double'}" for name in frame)
    rows = engine.createDataFrame(frame, schema)
    return rows.select(*(name if is_integer[name] else F.nanvl(name, F.lit(None)).alias(name) for name in frame))
