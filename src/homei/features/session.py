"""The one Spark session of a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from homei import java

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from homei.config import Spark

LOGGING = Path(__file__).resolve().with_name("log4j2.properties")
LOOPBACK = "127.0.0.1"


class SessionError(RuntimeError):
    """Spark cannot be started here."""


def session(spark: Spark) -> SparkSession:
    """The running session, or a new one as the section says; raises SessionError without a Java or a master."""
    master = master_of(spark)
    home = java.find()
    if home is None:
        raise SessionError(f"Spark needs Java {java.OLDEST} or newer, and none was found: run `make setup`")
    os.environ["JAVA_HOME"] = str(home)
    if master.startswith("local"):
        # Else Spark looks up this machine's name and complains about the address that it finds.
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("homei").master(master)
    for key, value in settings(spark, master).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def master_of(spark: Spark) -> str:
    """The master's URL: the section's own, or what the environment variable that it names holds."""
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


def settings(spark: Spark, master: str) -> dict[str, str]:
    """Spark's configuration: results that depend neither on the machine nor on its time zone, and no litter."""
    java_options = [f"-Dlog4j2.configurationFile={LOGGING.as_uri()}", "-XX:+UseParallelGC"]
    chosen = {
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
        chosen |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
        # Java's optimising compiler costs a small job more than it saves: of 89 thousand sales 41 s of processor time
        # with it and 28 s without, of a million 130 s and 146 s.
        java_options.append("-XX:TieredStopAtLevel=1")
    return chosen | {"spark.driver.extraJavaOptions": " ".join(java_options)}


def numbers(engine: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """A small frame of numbers, even an empty one, in Spark: whole numbers as long, others as double, NaN as null."""
    from pyspark.sql import functions as F  # noqa: N812

    whole = {name: kind.kind == "i" for name, kind in frame.dtypes.items()}
    schema = ", ".join(f"`{name}` {'long' if whole[name] else 'double'}" for name in frame)
    loaded = engine.createDataFrame(frame, schema)
    return loaded.select(*(name if whole[name] else F.nanvl(name, F.lit(None)).alias(name) for name in frame))
