"""Concurrent requests are valued as batches, with the same result as alone."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from homei.serving.micro_batching import MAX_ROWS, MicroBatcher
from homei.serving.problem_details import Problem, ProblemError
from homei.serving.property_model import property_model, rows_of

PRICE = "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


class Doubling:
    """Values numbers at twice as much and records the size of each batch; negative ones are refused."""

    def __init__(self):
        self.sizes = []
        self.gate = threading.Event()
        self.gate.set()

    def is_quick(self, row):
        return not row.get("is_slow")

    def value_each(self, rows):
        self.gate.wait(10)
        self.sizes.append(len(rows))
        if any(row["number"] == 13 for row in rows):
            raise ZeroDivisionError("thirteen")
        refused = ProblemError(422, [Problem("body", "is negative")])
        return [refused if row["number"] < 0 else {"price": 2 * row["number"]} for row in rows]

    def value(self, rows, include=frozenset(), alone=False):
        return self.value_each(rows)


def answers(*requests):
    """The answers to (predictor, number) pairs that arrive together."""

    async def ask():
        batcher = MicroBatcher()
        values = (batcher.value(predictor, {"number": number}) for predictor, number in requests)
        return await asyncio.gather(*values, return_exceptions=True)

    return asyncio.run(ask())


def test_requests_that_arrive_together_are_one_batch():
    predictor = Doubling()
    assert answers(*((predictor, number) for number in range(1, 8))) == [{"price": 2 * n} for n in range(1, 8)]
    assert predictor.sizes == [7]


def test_requests_that_arrive_during_a_batch_make_up_the_next_one():
    predictor = Doubling()
    predictor.gate.clear()

    async def ask():
        batcher = MicroBatcher()
        first = asyncio.create_task(batcher.value(predictor, {"number": 1}))
        await asyncio.sleep(0.05)
        later = [asyncio.create_task(batcher.value(predictor, {"number": number})) for number in range(2, 7)]
        await asyncio.sleep(0)
        predictor.gate.set()
        return await asyncio.gather(first, *later)

    assert asyncio.run(ask()) == [{"price": 2 * n} for n in range(1, 7)]
    assert predictor.sizes == [1, 5]


def test_a_batch_has_a_largest_size():
    predictor = Doubling()
    numbers = range(20, 20 + 2 * MAX_ROWS + 3)
    assert answers(*((predictor, number) for number in numbers)) == [{"price": 2 * number} for number in numbers]
    assert predictor.sizes == [MAX_ROWS, MAX_ROWS, 3]


def test_rows_of_two_predictors_are_two_batches():
    one, other = Doubling(), Doubling()
    assert answers((one, 1), (other, 1), (one, 1)) == [{"price": 2}] * 3
    assert (one.sizes, other.sizes) == ([2], [1])


def test_a_refused_row_refuses_no_other_row_and_the_batch_is_valued_once():
    predictor = Doubling()
    first, refused, last = answers(*((predictor, number) for number in (1, -1, 2)))
    assert (first, last) == ({"price": 2}, {"price": 4})
    assert [problem.field for problem in refused.problems] == ["body"]
    assert predictor.sizes == [3]


def test_a_row_on_which_the_model_fails_does_not_fail_its_neighbours():
    predictor = Doubling()
    first, failed, last = answers(*((predictor, number) for number in (1, 13, 2)))
    assert (first, last) == ({"price": 2}, {"price": 4})
    assert isinstance(failed, ZeroDivisionError)


def test_rows_are_refused_in_a_batch_as_alone(predictor, contract):
    rows = [HOME, HOME | {"location": "nowhere", "floor": 35.0, "square_meters": 20.0}, HOME | {"square_meters": 90.0}]
    rows = rows_of([property_model(contract).model_validate(row) for row in rows], contract)
    first, refused, last = predictor.value_each(rows)
    assert [first, last] == predictor.value([rows[0], rows[2]])
    with pytest.raises(ProblemError) as alone:
        predictor.value([rows[1]], alone=True)
    assert (refused.status_code, refused.problems) == (422, alone.value.problems)


def test_a_slow_row_does_not_hold_up_a_batch():
    predictor, slow = Doubling(), Doubling()
    slow.gate.clear()

    async def ask():
        batcher = MicroBatcher()
        waiting = asyncio.create_task(batcher.value(slow, {"number": 1, "is_slow": True}))
        assert await batcher.value(predictor, {"number": 2}) == {"price": 4}
        slow.gate.set()
        return await waiting

    assert asyncio.run(ask()) == {"price": 2}


def test_cancelled_requests_are_not_valued():
    predictor = Doubling()

    async def ask(cancelled):
        batcher = MicroBatcher()
        tasks = [asyncio.create_task(batcher.value(predictor, {"number": number})) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        for number in cancelled:
            tasks[number].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cancelled, last = asyncio.run(ask([1]))
    assert (first, last) == ({"price": 2}, {"price": 6})
    assert isinstance(cancelled, asyncio.CancelledError)
    assert predictor.sizes == [2]
    asyncio.run(ask([0, 1, 2]))
    assert predictor.sizes == [2]


@pytest.mark.parametrize("connections", [4, 8])
def test_a_service_under_load_gives_the_same_valuations(server, connections):
    homes = [HOME | {"square_meters": 20.0 + number / 7, "floor": float(number % 40)} for number in range(200)]
    homes[::17] = [HOME | {"location": "nowhere", "floor": 35.0, "square_meters": 20.0} for _ in homes[::17]]
    with httpx.Client(base_url=server, timeout=30) as client, ThreadPoolExecutor(connections) as pool:
        alone = [client.post(PRICE, json=home) for home in homes]
        at_once = list(pool.map(lambda home: client.post(PRICE, json=home), homes))
    assert {answer.status_code for answer in alone} == {200, 422}
    for one, other in zip(alone, at_once, strict=True):
        assert one.status_code == other.status_code
        told, again = one.json(), other.json()
        for said in (told, again):
            said.pop("request_id", None)
        assert told == again
