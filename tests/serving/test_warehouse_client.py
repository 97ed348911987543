"""The client of the warehouse: errors of a query, time limits and concurrent requests."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from homei.serving import warehouse_client
from homei.serving.problem_details import Problem, ProblemError
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Warehouse

TRENDS = "/api/v1/analytics/market-trends"
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.fixture
def pool(warehouse):
    """A warehouse with two connections and a second for a statement."""
    pool = Warehouse(warehouse, connections=2, seconds=1.0)
    yield pool
    pool.close()


def digest(connection, publication):
    return publication["digest"]


def not_found(connection, publication):
    raise ProblemError(404, [Problem("location", "is unknown")])


def endless(connection, publication):
    return connection.exec_driver_sql(ENDLESS[connection.dialect.name]).all()


def read_all(pool, *queries):
    async def gather():
        client = WarehouseClient(pool)
        return await asyncio.gather(*(client.read(query) for query in queries), return_exceptions=True)

    return asyncio.run(gather())


def test_a_failing_query_fails_alone(pool):
    first, second, slow, last = read_all(pool, digest, not_found, endless, digest)
    assert first == last
    assert [problem.field for problem in second.problems] == ["location"]
    assert slow.status_code == 503 and "took longer" in slow.problems[0].message
    assert read_all(pool, digest) == [first]


def test_a_request_does_not_wait_longer_than_its_limit(pool, monkeypatch):
    monkeypatch.setattr(warehouse_client, "REQUEST_SECONDS", 0.1)
    is_released = threading.Event()
    (busy,) = read_all(pool, lambda *_: is_released.wait(10))
    is_released.set()
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    assert busy.problems[0].message == "is busy"


def test_concurrent_requests_get_the_same_responses_as_single_ones(reader):
    queries = [{"location": place, "months": months} for place in ("harbour", "nowhere") for months in range(1, 9)]
    with ThreadPoolExecutor(8) as threads:
        concurrent = list(threads.map(lambda query: reader.get(TRENDS, params=query | {"format": "csv"}), queries))
    for query, response in zip(queries, concurrent, strict=True):
        alone = reader.get(TRENDS, params=query)
        assert response.status_code == alone.status_code == (200 if query["location"] == "harbour" else 404)
        if response.status_code == 200:
            assert len(response.text.splitlines()) == 1 + len(alone.json()["periods"]) == 1 + query["months"]
