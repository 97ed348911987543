"""The Spark session and where its master comes from."""

import pytest

from homei.spark import java, session
from homei.spark.config import SparkConfig


def section(**changes) -> SparkConfig:
    return SparkConfig(
        **{"master": None, "master_env": "SOME_MASTER", "driver_memory": "1g", "shuffle_partitions": 2} | changes
    )


def test_a_declared_master_is_used():
    assert session.master_url(section(master="local[*]")) == "local[*]"


def test_the_master_can_come_from_an_environment_variable(monkeypatch):
    monkeypatch.setenv("SOME_MASTER", "spark://host:7077")
    assert session.master_url(section()) == "spark://host:7077"


def test_an_unset_variable_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.delenv("SOME_MASTER", raising=False)
    with pytest.raises(session.SessionError, match=r"SOME_MASTER is not set: export it .* or choose spark=local"):
        session.session(section())


def test_no_master_is_an_error():
    with pytest.raises(session.SessionError, match=r"spark\.master and spark\.master_env are both empty"):
        session.session(section(master_env=None))


def test_no_java_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(java, "find", lambda: None)
    with pytest.raises(session.SessionError, match="run `make setup`"):
        session.session(section(master="local[*]"))


def test_only_a_local_session_is_bound_to_loopback():
    local = session.spark_settings(section(), "local[*]")
    cluster = session.spark_settings(section(), "spark://host:7077")
    assert local["spark.driver.bindAddress"] == "127.0.0.1"
    assert "spark.driver.bindAddress" not in cluster


def test_java_compiles_less_for_the_small_tables_of_a_workspace():
    options = "spark.driver.extraJavaOptions"
    assert "TieredStopAtLevel=1" in session.spark_settings(section(), "local[*]")[options]
    assert "TieredStopAtLevel" not in session.spark_settings(section(), "local[*]", is_external=True)[options]


def test_a_process_has_one_session(spark, local_spark):
    assert session.session(local_spark) is spark


def test_the_session_is_in_utc_and_adaptive_and_has_no_web_ui(spark):
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"
    assert spark.sparkContext.uiWebUrl is None
