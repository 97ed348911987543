"""PostgreSQL killed outright and brought back under a load of all kinds: clean answers, and nothing is lost."""

import itertools
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import warehouses
from authenticated_service import run_full_service
from sqlalchemy import select

from homei.serving.audit import chain
from homei.serving.audit.head_file import HeadFile
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import reading
from homei.warehouse.tables import audit, feedback, predictions

SETTINGS = PublishConfig(address="HOMEI_KILLED", file="")
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
ROUTES = {
    "search": "/api/v1/properties/search",
    "detail": "/api/v1/properties/p001",
    "trends": "/api/v1/analytics/market-trends",
    "price": "/api/v1/predict/price",
    "batch": "/api/v1/predict/batch",
    "feedback": "/api/v1/feedback",
}
NEEDS_NO_WAREHOUSE = ("price", "batch")


class Load:
    """Clients that ask all routes without end, and write down what they were told."""

    def __init__(self, place):
        self.place, self.numbers = place, itertools.count()
        self.told = defaultdict(list)  # by route: status, and what the client would rely on
        self.stopping = threading.Event()

    def run(self):
        with self.place.session(self.place.token("boss", "predict", "analytics", "feedback")) as client:
            while not self.stopping.wait(0.02):
                for route in ROUTES:
                    number = next(self.numbers)
                    answer = self.ask(client, route, number)
                    self.told[route].append((answer.status_code, number, answer))

    def ask(self, client, route, number):
        if route == "price":
            return client.post(ROUTES[route], json=HOME)
        if route == "batch":
            return client.post(ROUTES[route], json={"properties": [HOME] * 3})
        if route == "feedback":
            sale = {"prediction_id": f"a{number}", "sold_on": "2025-11-03", "price": number + 1}
            return client.post(ROUTES[route], json=sale, headers={"idempotency-key": f"k{number}"})
        # Never the same question twice.
        asked = {"search": {"price_min": number}, "trends": {"months": number % 600 + 1}}
        return client.get(ROUTES[route], params=asked.get(route))

    def count(self, route, *statuses):
        return sum(status in statuses for status, *_ in list(self.told[route]))


def clean(answer):
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert (told["status"], told["request_id"]) == (503, answer.headers["x-request-id"])
    assert not any(word in answer.text.lower() for word in ("postgres", "psycopg", "traceback", "127.0.0.1", "select"))


def test_a_postgresql_that_is_killed_twice_loses_nothing_that_was_acknowledged(
    contract, predictor, tmp_path, monkeypatch, postgresql
):
    with postgresql() as server:
        monkeypatch.setenv(SETTINGS.address, server.url)
        warehouses.publish(SETTINGS)
        with run_full_service(contract, predictor, tmp_path, SETTINGS) as place:
            load = Load(place)
            with ThreadPoolExecutor(4) as threads:
                running = [threads.submit(load.run) for _ in range(4)]
                try:
                    for _ in range(2):
                        killed_and_back(server, place, load)
                finally:
                    load.stopping.set()
                for each in running:
                    each.result()
            again = sent_again(place, load)
            kept_all(place, load, again)


def killed_and_back(server, place, load):
    """Each route answers before and afterwards; in between those that need the warehouse say that it is away."""
    needing = [route for route in ROUTES if route not in NEEDS_NO_WAREHOUSE]

    def more(route, count, *statuses):
        before = load.count(route, *statuses)
        return lambda: load.count(route, *statuses) >= before + count

    for route in ROUTES:
        place.wait_until(more(route, 10, 200, 201))
    server.kill()
    for route in needing:
        place.wait_until(more(route, 3, 503))
    for route in NEEDS_NO_WAREHOUSE:
        place.wait_until(more(route, 3, 200))
    server.start()
    for route in ROUTES:
        place.wait_until(more(route, 10, 200, 201))


def sent_again(place, load):
    """What became of each sale that was refused, once it is sent again under its key."""
    with place.session(place.token("boss", "feedback")) as client:
        refused = [number for status, number, _ in load.told["feedback"] if status == 503]
        answers = [load.ask(client, "feedback", number) for number in refused]
    assert refused and {answer.status_code for answer in answers} <= {200, 201}
    return refused


def kept_all(place, load, again):
    for route, told in load.told.items():
        assert {status for status, *_ in told} <= {200, 201, 503}
        for status, _, answer in told:
            if status == 503:
                assert route not in NEEDS_NO_WAREHOUSE
                clean(answer)

    def rows(*columns):
        with reading(place.engine) as connection:
            return connection.execute(select(*columns)).all()

    sold = [number for status, number, _ in load.told["feedback"] if status == 201]
    kept = {row.key: row.price for row in rows(feedback.c.key, feedback.c.price)}
    assert kept == {f"k{number}": number + 1 for number in [*sold, *again]}

    names = {answer.headers["x-prediction-id"] for _, _, answer in load.told["price"]}
    names |= {f"{answer.headers['x-prediction-id']}.{row}" for _, _, answer in load.told["batch"] for row in range(3)}
    place.wait_until(lambda: len(rows(predictions.c.prediction_id)) >= len(names))
    assert sorted(row.prediction_id for row in rows(predictions.c.prediction_id)) == sorted(names)

    asked = {answer.headers["x-request-id"] for told in load.told.values() for *_, answer in told}
    place.wait_until(lambda: asked <= {row.request_id for row in rows(audit.c.request_id)})
    head = HeadFile(place.audit_folder).read()  # first: the trail grows meanwhile
    with reading(place.engine) as connection:
        assert chain.verify(list(chain.read_rows(connection)), head).fault is None
