"""The warehouse as a service asks it: a read is of one publication, whatever is published amid it, and can't write."""

import pytest
from sqlalchemy import delete, func, insert, select

from homei.config import Intervals
from homei.warehouse.access import UnavailableError, Warehouse
from homei.warehouse.filters import Filters, Place
from homei.warehouse.publish import run
from homei.warehouse.search import find
from homei.warehouse.tables import clients, property_analytics, property_history

INTERVALS = Intervals(level=0.9, folds=4)
WORTH = {"m1": 6.0, "m2": 12.0}
TYPES = {"m1": "flat", "m2": "house"}


@pytest.fixture
def warehouse(settings):
    found = Warehouse(settings)
    yield found
    found.close()


@pytest.fixture
def publish(settings, source, town):
    def put(model):
        town(model=model, valued_price=WORTH[model] / 6, property_type=TYPES[model])
        run(source, INTERVALS, settings)

    put("m1")
    return put


def worth(connection):
    return connection.scalar(select(func.sum(property_analytics.c.valued_price)))


def flats(connection):
    page = find(connection, Filters(property_type="flat"), Place("plane", 1.0, 1.0), "area", False, 10, None)
    return page.counted


def told(connection, published):
    return published["model_version"], worth(connection), flats(connection)


def amid(publish, *models):
    """What tells all that is seen; the first time that it is called it has models published between."""
    waiting = [*models]

    def work(connection, published):
        seen = {(published["model_version"], worth(connection))}
        while waiting:
            publish(waiting.pop(0))
            seen.add((published["model_version"], worth(connection)))
            flats(connection)
        return seen

    return work


def test_what_is_published_amid_a_read_is_all_of_its_answer_or_nothing_of_it(warehouse, publish):
    warehouse.read(told)
    assert warehouse.read(amid(publish, "m2")) in ({("m1", 6.0)}, {("m2", 12.0)})
    assert warehouse.read(told) == ("m2", 12.0, 0)


def test_a_publication_that_comes_back_amid_a_read_leaves_nothing_of_the_one_between(warehouse, publish):
    warehouse.read(lambda connection, _: worth(connection))
    assert warehouse.read(amid(publish, "m2", "m1")) == {("m1", 6.0)}
    assert warehouse.read(told) == ("m1", 6.0, 6)


def test_what_is_refused_of_a_publication_that_is_gone_is_asked_of_the_next(warehouse, publish, request):
    warehouse.read(told)
    homes = []

    def work(connection, published):
        if not homes:
            publish("m2")
            homes.append(worth(connection))
        if published["model_version"] == "m1":
            raise LookupError("it is not there")
        return published["model_version"]

    if request.node.callspec.params["settings"] == "postgresql":
        assert warehouse.read(work) == "m2"
    else:
        # SQLite's transactions see what was there when they began.
        with pytest.raises(LookupError):
            warehouse.read(work)
        assert warehouse.read(work) == "m2"


def test_works_that_are_read_together_see_the_same_publication(warehouse, publish):
    warehouse.read(told)

    def lost(connection, published):
        raise LookupError(published["model_version"])

    first, second, third, fourth = warehouse.read_all([told, amid(publish, "m2"), lost, told])
    model = first[0]
    assert first == fourth == (model, WORTH[model], 6 if model == "m1" else 0)
    assert second == {(model, WORTH[model])}
    assert isinstance(third, LookupError) and third.args == (model,)


def test_a_read_writes_nothing_and_a_write_does(warehouse, publish):
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"read.?only"):
            warehouse.read(lambda connection, _: connection.execute(delete(property_history)))
        assert warehouse.read(told) == ("m1", 6.0, 6)
    own = {"client": "portal", "secret_hash": "…", "scopes": [], "added_at": func.now()}
    warehouse.write(lambda connection: connection.execute(insert(clients).values(**own)))
    assert warehouse.read(lambda connection, _: connection.scalar(select(clients.c.client))) == "portal"
