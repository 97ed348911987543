"""The warehouse of a service: a read sees one publication and cannot write."""

import pytest
from sqlalchemy import delete, func, insert, select

from homei.training.config import IntervalsConfig
from homei.warehouse.publish import run
from homei.warehouse.sessions import UnavailableError, Warehouse
from homei.warehouse.tables import clients, property_analytics, property_history

INTERVALS = IntervalsConfig(level=0.9, folds=4)
TOTALS = {"m1": 6.0, "m2": 12.0}


@pytest.fixture
def warehouse(settings):
    result = Warehouse(settings)
    yield result
    result.close()


@pytest.fixture
def publish(settings, city, town):
    """Publishes six properties whose valuations add up to the model's total; m1 is published already."""

    def run_publish(model):
        town(model=model, valued_price=TOTALS[model] / 6)
        run(city, INTERVALS, settings)

    run_publish("m1")
    return run_publish


def total(connection):
    return connection.scalar(select(func.sum(property_analytics.c.valued_price)))


def model_and_total(connection, publication):
    return publication["model_version"], total(connection)


def test_a_read_sees_one_publication_while_another_is_published(warehouse, publish):
    def query(connection, publication):
        before = model_and_total(connection, publication)
        publish("m2")
        return before, model_and_total(connection, publication)

    assert warehouse.read(query) == (("m1", 6.0), ("m1", 6.0))
    assert warehouse.read(model_and_total) == ("m2", 12.0)


def test_an_error_of_a_query_reaches_its_caller(warehouse, publish):
    def query(connection, publication):
        raise LookupError(publication["model_version"])

    with pytest.raises(LookupError, match="m1"):
        warehouse.read(query)
    assert warehouse.read(model_and_total) == ("m1", 6.0)


def test_a_read_cannot_write_and_a_write_can(warehouse, publish):
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"read.?only"):
            warehouse.read(lambda connection, _: connection.execute(delete(property_history)))
        assert warehouse.read(model_and_total) == ("m1", 6.0)
    row = {"client": "portal", "secret_hash": "…", "scopes": [], "added_at": func.now()}
    warehouse.write(lambda connection: connection.execute(insert(clients).values(**row)))
    assert warehouse.read(lambda connection, _: connection.scalar(select(clients.c.client))) == "portal"
