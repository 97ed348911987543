"""PostgreSQL is killed and restarted under load: no acknowledged data is lost."""

import itertools
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
import warehouses
from authenticated_service import run_full_service
from sqlalchemy import select

from homei.serving.audit import chain
from homei.serving.audit.head_file import HeadFile
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import reading
from homei.warehouse.tables import audit, feedback, predictions

PUBLISH = PublishConfig(address="HOMEI_KILLED", file="")
PROPERTY = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
ROUTES = {
    "search": "/api/v1/properties/search",
    "detail": "/api/v1/properties/p001",
    "trends": "/api/v1/analytics/market-trends",
    "price": "/api/v1/predict/price",
    "batch": "/api/v1/predict/batch",
    "feedback": "/api/v1/feedback",
}
WITHOUT_WAREHOUSE = ("price", "batch")


class Load:
    """Clients that request all routes until they are stopped, and record the responses."""

    def __init__(self, service):
        self.service, self.numbers = service, itertools.count()
        self.responses = defaultdict(list)  # by route: number of the request, and its response
        self.stopping = threading.Event()

    def run(self):
        with self.service.session(self.service.token("boss", "predict", "analytics", "feedback")) as client:
            while not self.stopping.wait(0.02):
                for route in ROUTES:
                    number = next(self.numbers)
                    self.responses[route].append((number, self.request(client, route, number)))

    def request(self, client, route, number):
        if route == "price":
            return client.post(ROUTES[route], json=PROPERTY)
        if route == "batch":
            return client.post(ROUTES[route], json={"properties": [PROPERTY] * 3})
        if route == "feedback":
            sale = {"prediction_id": f"a{number}", "sold_on": "2025-11-03", "price": number + 1}
            return client.post(ROUTES[route], json=sale, headers={"idempotency-key": f"k{number}"})
        # Never the same parameters twice, so that the cache does not answer.
        params = {"search": {"price_min": number}, "trends": {"months": number % 600 + 1}}
        return client.get(ROUTES[route], params=params.get(route))

    def count(self, route, *statuses):
        return sum(response.status_code in statuses for _, response in list(self.responses[route]))


def check_unavailable(response):
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    assert (problem["status"], problem["request_id"]) == (503, response.headers["x-request-id"])
    internal = ("postgres", "psycopg", "traceback", "127.0.0.1", "select")
    assert not any(word in response.text.lower() for word in internal)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_postgresql_is_killed_twice(
    contract, predictor, tmp_path, monkeypatch, postgresql
):
    with postgresql() as server:
        monkeypatch.setenv(PUBLISH.address, server.url)
        warehouses.publish(PUBLISH)
        with run_full_service(contract, predictor, tmp_path, PUBLISH) as service:
            load = Load(service)
            with ThreadPoolExecutor(4) as threads:
                clients = [threads.submit(load.run) for _ in range(4)]
                try:
                    for _ in range(2):
                        kill_and_restart(server, service, load)
                finally:
                    load.stopping.set()
                for client in clients:
                    client.result()
            resent = resend_refused_feedback(service, load)
            check_responses(load)
            check_stored(service, load, resent)


def kill_and_restart(server, service, load):
    """Waits until each route answers before and after; in between, routes that need the warehouse answer 503."""

    def wait_for_more(route, count, *statuses):
        before = load.count(route, *statuses)
        service.wait_until(lambda: load.count(route, *statuses) >= before + count)

    for route in ROUTES:
        wait_for_more(route, 10, 200, 201)
    server.kill()
    for route in ROUTES:
        wait_for_more(route, 3, 200 if route in WITHOUT_WAREHOUSE else 503)
    server.start()
    for route in ROUTES:
        wait_for_more(route, 10, 200, 201)


def resend_refused_feedback(service, load):
    """Sends refused feedback again under its keys; returns the numbers of these requests."""
    with service.session(service.token("boss", "feedback")) as client:
        refused = [number for number, response in load.responses["feedback"] if response.status_code == 503]
        responses = [load.request(client, "feedback", number) for number in refused]
    assert refused and {response.status_code for response in responses} <= {200, 201}
    return refused


def check_responses(load):
    for route, responses in load.responses.items():
        assert {response.status_code for _, response in responses} <= {200, 201, 503}
        for _, response in responses:
            if response.status_code == 503:
                assert route not in WITHOUT_WAREHOUSE
                check_unavailable(response)


def check_stored(service, load, resent):
    def rows(*columns):
        with reading(service.engine) as connection:
            return connection.execute(select(*columns)).all()

    created = [number for number, response in load.responses["feedback"] if response.status_code == 201]
    stored = {row.key: row.price for row in rows(feedback.c.key, feedback.c.price)}
    assert stored == {f"k{number}": number + 1 for number in [*created, *resent]}

    single_ids = {response.headers["x-prediction-id"] for _, response in load.responses["price"]}
    batch_ids = [response.headers["x-prediction-id"] for _, response in load.responses["batch"]]
    prediction_ids = single_ids | {f"{batch_id}.{row}" for batch_id in batch_ids for row in range(3)}
    service.wait_until(lambda: len(rows(predictions.c.prediction_id)) >= len(prediction_ids))
    assert sorted(row.prediction_id for row in rows(predictions.c.prediction_id)) == sorted(prediction_ids)

    request_ids = {
        response.headers["x-request-id"] for responses in load.responses.values() for _, response in responses
    }
    service.wait_until(lambda: request_ids <= {row.request_id for row in rows(audit.c.request_id)})
    head = HeadFile(service.audit_folder).read()  # first, since the trail grows meanwhile
    with reading(service.engine) as connection:
        assert chain.verify(list(chain.read_rows(connection)), head).fault is None
