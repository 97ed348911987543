import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from live_server import complete_app, live_server, with_middleware

from homei.serving.app import create_app
from homei.serving.middleware.limits import ConcurrencyLimitMiddleware

PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


class Held:
    """A predictor whose batches wait until a test releases them."""

    def __init__(self, predictor):
        self.predictor, self.contract = predictor, predictor.contract
        self.asked, self.free = threading.Semaphore(0), threading.Event()

    def for_client(self, row, client):
        return self.predictor

    def value_batch(self, rows, include, client):
        self.asked.release()
        assert self.free.wait(20)
        return self.predictor.value_batch(rows, include, client)


@pytest.fixture
def held(predictor):
    return Held(predictor)


def ask(client, **more):
    return client.post(BATCH, json={"properties": [HOME]}, **more)


def test_a_request_beyond_the_limit_is_refused_at_once_and_the_service_works_afterwards(contract, held):
    app = complete_app(contract, held, max_concurrency=2)
    with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, client) for _ in range(2)]
        assert all(held.asked.acquire(timeout=10) for _ in running)
        refused = client.post(PRICE, json=HOME, headers={"x-request-id": "mine"})
        metrics = client.get("/metrics")
        held.free.set()
        assert [answer.result().status_code for answer in running] == [200, 200]
        assert client.post(PRICE, json=HOME).status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    told = refused.json()
    assert (told["status"], told["request_id"]) == (503, "mine")
    assert told["errors"][0]["message"] == "2 other requests are being answered now"
    assert metrics.status_code == 200


def test_batches_beyond_their_own_limit_are_refused_and_single_valuations_are_not(contract, held):
    app = complete_app(contract, held, max_batches=2)
    with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, client) for _ in range(2)]
        assert all(held.asked.acquire(timeout=10) for _ in running)
        refused = ask(client)
        assert client.post(PRICE, json=HOME).status_code == 200
        held.free.set()
        assert [answer.result().status_code for answer in running] == [200, 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["errors"][0]["message"] == "2 other requests to this path are being answered now"


def test_a_late_response_is_replaced_and_counts_as_running_until_its_work_ends(contract, held):
    app = complete_app(contract, held, max_concurrency=1, timeout_seconds=1)
    with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        began = time.monotonic()
        late = ask(client, headers={"x-request-id": "mine"})
        assert time.monotonic() - began > 0.9
        assert (late.status_code, late.headers["content-type"]) == (504, "application/problem+json")
        assert late.headers["x-request-id"] == late.json()["request_id"] == "mine"
        assert "1 s" in late.json()["detail"]
        assert client.post(PRICE, json=HOME).status_code == 503
        held.free.set()
        for _ in range(100):
            if (again := client.post(PRICE, json=HOME)).status_code == 200:
                break
            time.sleep(0.02)
        assert again.status_code == 200
        assert ask(client).status_code == 200


def test_a_failed_request_no_longer_counts_as_running(contract, predictor):
    app = create_app(contract)
    app.state.predictor = None
    with live_server(with_middleware(app, contract.limits)) as url, httpx.Client(base_url=url) as client:
        answers = [client.post(PRICE, json=HOME) for _ in range(2 * contract.limits.max_concurrency)]
        answers.append(client.get("/api/v1/properties/one"))
    assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {
        (500, "application/problem+json")
    }


def test_a_response_that_started_and_never_ends_is_cut():
    cut = []

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append(scope["path"])
            raise

    async def send(message):
        pass

    async def ask():
        scope = {"type": "http", "path": "/csv", "headers": []}
        with pytest.raises(asyncio.CancelledError):
            await ConcurrencyLimitMiddleware(endless, 1, 0.05)(scope, None, send)

    asyncio.run(ask())
    assert cut == ["/csv"]


def test_a_slow_first_valuation_of_a_month_delays_no_other_request(contract, predictor):
    quick = threading.Event()

    class Unprepared:
        """Values a slow row only after a quick one."""

        def for_client(self, row, client):
            return self

        contract = predictor.contract

        def is_quick(self, row):
            return row["valuation_date"].month == 1

        def value(self, rows, include=frozenset(), alone=False):
            if not self.is_quick(rows[0]):
                assert quick.wait(10)
            return predictor.value(rows, include, alone)

        def value_each(self, rows):
            return predictor.value_each(rows)

    app = complete_app(contract, Unprepared())
    with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.post, PRICE, json=HOME | {"valuation_date": "2025-12-31"})
        time.sleep(0.2)
        assert client.post(PRICE, json=HOME).status_code == 200
        quick.set()
        assert slow.result().status_code == 200
