"""An error that a task of Spark raises reaches the caller as the exception that it is."""

import pytest
from pyspark.errors import PySparkException

from homei.ingestion.connectors.text_rows import SourceError, UnreadableError
from homei.spark.worker_errors import raised_in_workers


def collect(spark, error):
    """Runs one task that raises an error."""

    def task(batches):
        raise error
        yield from batches

    return spark.range(1).mapInArrow(task, "id long").collect()


def test_an_error_of_a_named_kind_keeps_its_message_of_several_lines(spark):
    with pytest.raises(SourceError) as raised, raised_in_workers(SourceError):
        collect(spark, SourceError("a.csv: has no column price\nb.csv: has none either: declare one"))
    assert str(raised.value) == "a.csv: has no column price\nb.csv: has none either: declare one"
    assert raised.value.__cause__ is None


def test_errors_of_other_kinds_stay_spark_errors(spark):
    with pytest.raises(PySparkException, match=r"UnreadableError: a\.csv"), raised_in_workers(SourceError):
        collect(spark, UnreadableError("a.csv: is broken"))


def test_an_error_of_the_driver_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError), raised_in_workers(SourceError):
        _ = 1 / 0
