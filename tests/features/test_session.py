import pytest

from homei import java
from homei.config import Spark
from homei.features import session


def section(**changes) -> Spark:
    return Spark(
        **{"master": None, "master_env": "SOME_MASTER", "driver_memory": "1g", "shuffle_partitions": 2} | changes
    )


def test_the_master_is_the_sections_own():
    assert session.master_of(section(master="local[*]")) == "local[*]"


def test_the_master_comes_from_the_environment_variable_that_the_section_names(monkeypatch):
    monkeypatch.setenv("SOME_MASTER", "spark://host:7077")
    assert session.master_of(section()) == "spark://host:7077"


def test_an_unset_variable_is_named_with_its_remedy(monkeypatch):
    monkeypatch.delenv("SOME_MASTER", raising=False)
    with pytest.raises(session.SessionError, match=r"SOME_MASTER is not set: export it .* or choose spark=local"):
        session.session(section())


def test_a_section_without_any_master_is_refused():
    with pytest.raises(session.SessionError, match=r"spark\.master and spark\.master_env are both empty"):
        session.session(section(master_env=None))


def test_a_machine_without_java_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(java, "find", lambda: None)
    with pytest.raises(session.SessionError, match="run `make setup`"):
        session.session(section(master="local[*]"))


def test_only_a_local_session_is_bound_to_this_machine():
    local = session.settings(section(), "local[*]")
    cluster = session.settings(section(), "spark://host:7077")
    assert local["spark.driver.bindAddress"] == "127.0.0.1"
    assert "spark.driver.bindAddress" not in cluster


def test_a_process_has_one_session(spark, local_spark):
    assert session.session(local_spark) is spark


def test_the_session_is_in_utc_adaptive_and_without_a_page_of_its_own(spark):
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"
    assert spark.sparkContext.uiWebUrl is None
