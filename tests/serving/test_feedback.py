"""Reported sale prices are stored once, despite repeated and concurrent requests."""

import contextlib
import datetime
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import warehouses
from live_server import complete_app, live_server

from homei.serving.feedback_queue import FeedbackQueue
from homei.serving.outbox.entry_file import n_waiting
from homei.serving.routers.feedback import FeedbackReceipt
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, reading, writing
from homei.warehouse.feedback import ReportedSale, stored_feedback
from homei.warehouse.sessions import Warehouse

FEEDBACK = "/api/v1/feedback"
SALE = {"property_id": "p001", "sold_on": "2025-11-03", "price": 312_000}
numbers = itertools.count()


@pytest.fixture
def key():
    return f"sale-{next(numbers)}"


def tell(client, key, body):
    return client.post(FEEDBACK, json=body, headers={"idempotency-key": key})


def refused(response, status=422):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    return [problem["field"] for problem in response.json()["errors"]]


def test_a_sale_is_stored_and_a_repeated_request_changes_nothing(reader, key):
    first = tell(reader, key, SALE)
    told = FeedbackReceipt.model_validate(first.json())
    assert (first.status_code, told.price, told.prediction_id) == (201, 312_000.0, None)
    again = tell(reader, key, SALE)
    assert (again.status_code, again.json()) == (200, first.json())
    assert refused(tell(reader, key, SALE | {"price": 1}), 409) == ["idempotency-key"]
    assert tell(reader, key, SALE).json() == first.json()


def test_of_concurrent_requests_with_one_key_one_is_stored(reader, key):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda price: tell(reader, key, SALE | {"price": price}), [1, 2] * 8))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201] + [409] * 8
    assert len({answer.text for answer in answers if answer.status_code < 300}) == 1


def test_a_prediction_id_may_replace_the_property_id(reader, key):
    sale = {"prediction_id": "a1", "sold_on": "2025-11-03", "price": 1.5}
    assert tell(reader, key, sale).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"property_id": None}, "property_id"),
        ({"property_id": "p999"}, "property_id"),
        ({"property_id": "'; DROP TABLE feedback; --"}, "property_id"),
        ({"property_id": "\0"}, "property_id"),
        ({"property_id": 5}, "property_id"),
        ({"prediction_id": ""}, "prediction_id"),
        ({"sold_on": "2999-01-01"}, "sold_on"),
        ({"sold_on": "1899-12-31"}, "sold_on"),
        ({"sold_on": "20250101"}, "sold_on"),
        ({"sold_on": 5}, "sold_on"),
        ({"sold_on": None}, "sold_on"),
        ({"price": 0}, "price"),
        ({"price": -1}, "price"),
        ({"price": "1"}, "price"),
        ({"price": 1e308}, "price"),
        ({"price": True}, "price"),
        ({"prise": 1}, "prise"),
    ],
)
def test_what_is_wrong_with_a_sale_is_named(reader, key, change, field):
    assert refused(tell(reader, key, SALE | change)) == [field]


def test_what_sold_after_tomorrow_is_refused(reader, key):
    later = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=2)
    assert refused(tell(reader, key, SALE | {"sold_on": str(later)})) == ["sold_on"]


@pytest.mark.parametrize("given", [[], ["a", "b"], ["x" * 201], [""], ["a b"], [b"\xff"]])
def test_a_key_is_required_once_and_plain(reader, given):
    headers = [("content-type", "application/json"), *(("idempotency-key", value) for value in given)]
    assert refused(reader.post(FEEDBACK, content=json.dumps(SALE), headers=headers)) == ["idempotency-key"]


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b"NaN", 422), (b"5", 422)])
def test_a_body_that_is_no_sale_is_refused(reader, key, body, status):
    headers = {"content-type": "application/json", "idempotency-key": key}
    assert refused(reader.post(FEEDBACK, content=body, headers=headers), status) == ["body"]


@pytest.fixture
def publish(tmp_path):
    """A published warehouse in SQLite."""
    settings = PublishConfig(address="HOMEI_QUEUED", file=str(tmp_path / "warehouse.db"))
    warehouses.publish(settings)
    return settings


@contextlib.contextmanager
def publication_running(publish):
    """Holds the lock that a publication holds."""
    engine = connect(publish)
    with writing(engine):
        yield
    engine.dispose()


def new_queue(publish, folder):
    return FeedbackQueue(folder, Warehouse(publish, connections=1, seconds=1), 0.02, retry_seconds=0.1)


def wait_until_delivered(folder):
    end = time.monotonic() + 20
    while n_waiting(folder):
        assert time.monotonic() < end, "feedback was not delivered in time"
        time.sleep(0.05)


def test_feedback_during_a_publication_is_accepted_and_stored_afterwards(contract, predictor, publish, tmp_path):
    app = complete_app(contract, predictor, publish)
    app.state.feedback_queue = queue = new_queue(publish, tmp_path / "queue")
    queue.start()
    with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert tell(client, "before", SALE).status_code == 201
        with publication_running(publish):
            accepted = tell(client, "during", SALE)
            assert accepted.status_code == 202
            assert tell(client, "before", SALE).status_code == 200
            assert refused(tell(client, "before", SALE | {"price": 1}), 409) == ["idempotency-key"]
            assert refused(tell(client, "other", SALE | {"property_id": "p999"})) == ["property_id"]
        wait_until_delivered(tmp_path / "queue")
        stored = tell(client, "during", SALE)
        assert (stored.status_code, stored.json()) == (200, accepted.json())
        assert tell(client, "during", SALE | {"price": 1}).status_code == 409
    queue.stop()


def test_feedback_that_waits_is_stored_after_a_restart_and_the_first_of_two_is_kept(publish, tmp_path, caplog):
    now, queue = datetime.datetime.now(datetime.UTC), new_queue(publish, tmp_path / "queue")
    queue.start()
    with publication_running(publish):
        for price in (1.0, 1.0, 2.0):
            queue.add("partner", "key", ReportedSale("a1", None, datetime.date(2025, 11, 3), price), now)
        queue.stop()
    again = new_queue(publish, tmp_path / "queue")
    again.start()
    wait_until_delivered(tmp_path / "queue")
    again.stop()
    engine = connect(publish)
    with reading(engine) as connection:
        stored = stored_feedback(connection, "partner", "key")
    engine.dispose()
    assert (stored.sale.price, stored.received_at) == (1.0, now)
    assert sum("was sent with another sale before" in record.message for record in caplog.records) == 1


def test_in_postgresql_feedback_is_stored_while_a_publication_runs(reader, warehouse, key):
    engine = connect(warehouse)
    if engine.dialect.name == "postgresql":
        with writing(engine):
            assert tell(reader, key, SALE).status_code == 201
    engine.dispose()
