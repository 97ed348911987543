"""Short questions that come at the same time: asked together, of one publication, each with an answer of its own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from homei.serve import desk
from homei.serve.desk import Desk
from homei.serve.refusal import Problem, RequestError
from homei.warehouse.access import Warehouse

TRENDS = "/api/v1/analytics/market-trends"


class Counted(Warehouse):
    """A warehouse that remembers how many works came at a time, and waits before the first where it is `held`."""

    def __init__(self, publish):
        super().__init__(publish, connections=2, seconds=1.0)
        self.sizes, self.free = [], threading.Event()
        self.free.set()

    def read_all(self, works):
        self.sizes.append(len(works))
        assert self.free.wait(10)
        return super().read_all(works)


@pytest.fixture
def counted(warehouse):
    found = Counted(warehouse)
    yield found
    found.close()


def digest(connection, published):
    return published["digest"]


def refused(connection, published):
    raise RequestError(404, [Problem("location", "is unknown")])


def endless(connection, published):
    slow = "SELECT pg_sleep(60)" if connection.dialect.name == "postgresql" else _COUNTING
    return connection.exec_driver_sql(slow).all()


_COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def answers(warehouse, *works):
    async def ask():
        asked = Desk(warehouse)
        return await asyncio.gather(*(asked.read(work, is_short=True) for work in works), return_exceptions=True)

    return asyncio.run(ask())


def test_those_who_ask_at_once_are_answered_of_one_publication(counted):
    told = answers(counted, *[digest] * 5)
    assert len(set(told)) == 1
    assert counted.sizes == [5]


def test_a_warehouse_elsewhere_is_asked_by_each_for_himself(counted):
    counted.is_near = False
    assert len(set(answers(counted, *[digest] * 3))) == 1
    assert counted.sizes == [1, 1, 1]


def test_what_is_refused_refuses_nobody_else(counted):
    first, second, last = answers(counted, digest, refused, digest)
    assert first == last
    assert [problem.field for problem in second.problems] == ["location"]


def test_those_who_ask_meanwhile_are_next(counted):
    async def ask():
        asked = Desk(counted)
        counted.free.clear()
        first = asyncio.create_task(asked.read(digest, is_short=True))
        await asyncio.sleep(0.2)
        others = [asyncio.create_task(asked.read(digest, is_short=True)) for _ in range(3)]
        await asyncio.sleep(0.2)
        others[0].cancel()
        counted.free.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    first, cancelled, *others = asyncio.run(ask())
    assert others == [first, first]
    assert isinstance(cancelled, asyncio.CancelledError)
    assert counted.sizes == [1, 2]


def test_one_without_end_is_ended_and_the_next_answered(counted):
    async def ask():
        asked = Desk(counted)
        both = await asyncio.gather(
            *(asked.read(work, is_short=True) for work in (endless, digest)), return_exceptions=True
        )
        return both, await asked.read(digest, is_short=True)

    (slow, beside), after = asyncio.run(ask())
    assert slow.status == 503 and "took longer" in slow.problems[0].message
    assert beside.status == 503  # asked again, it is answered
    assert isinstance(after, str)


def test_nobody_waits_for_longer_than_patience(counted, monkeypatch):
    monkeypatch.setattr(desk, "PATIENCE", 0.1)
    counted.free.clear()
    (busy,) = answers(counted, digest)
    counted.free.set()
    assert busy.status == 503 and busy.problems[0].message == "is busy"


def test_a_market_under_load_is_told_as_it_is_told_alone(reader):
    asked = [
        {"location": place, "months": months} for place in ("harbour", "hill", "nowhere") for months in range(1, 9)
    ]
    alone = [reader.get(TRENDS, params=one) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda one: reader.get(TRENDS, params=one | {"frequency": "month"}), asked))
    assert {answer.status_code for answer in alone} == {200, 404}
    for one, other in zip(alone, at_once, strict=True):
        assert one.status_code == other.status_code
        if one.status_code == 200:
            assert one.content == other.content
