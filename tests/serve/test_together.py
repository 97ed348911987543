"""Homes asked for at the same moment: valued as one batch, each told what it would be told alone."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from homei.serve.app import PRICE
from homei.serve.refusal import Problem, RequestError
from homei.serve.together import MOST, Together

HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


class Asked:
    """Values numbers at twice as much, and remembers how many came at a time; negative ones are refused."""

    def __init__(self):
        self.sizes = []

    def value(self, rows, alone=False):
        self.sizes.append(len(rows))
        if any(row["number"] < 0 for row in rows):
            raise RequestError(422, [Problem("body" if alone else "properties.0", "is negative")])
        if any(row["number"] == 13 for row in rows):
            raise ZeroDivisionError("thirteen")
        return [{"price": 2 * row["number"]} for row in rows]


def answers(asked, *numbers):
    async def ask():
        together = Together()
        asking = (together.answer(asked, {"number": number}) for number in numbers)
        return await asyncio.gather(*asking, return_exceptions=True)

    return asyncio.run(ask())


def test_those_who_ask_at_once_are_valued_at_once():
    asked = Asked()
    assert answers(asked, *range(1, 8)) == [{"price": 2 * number} for number in range(1, 8)]
    assert asked.sizes == [7]


def in_turns(asked, *waits):
    """One number after the other, each as many turns of the event loop after the one before."""

    async def ask():
        together, asking = Together(), []
        for number, turns in enumerate(waits, 20):
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.append(asyncio.create_task(together.answer(asked, {"number": number})))
        return await asyncio.gather(*asking)

    assert asyncio.run(ask()) == [{"price": 2 * number} for number in range(20, 20 + len(waits))]
    return asked.sizes


def test_while_each_turn_brings_another_all_are_valued_together():
    assert in_turns(Asked(), *[1] * 12) == [12]


def test_a_turn_that_brings_nobody_ends_the_waiting():
    assert in_turns(Asked(), 0, 5, 0, 5) == [1, 2, 1]


def test_nobody_waits_for_an_endless_row_of_others():
    sizes = in_turns(Asked(), *[1] * 4 * MOST)
    assert sum(sizes) == 4 * MOST
    assert sizes[0] == MOST


def test_who_asks_alone_waits_for_nobody():
    asked = Asked()
    assert answers(asked, 3) == [{"price": 6}]
    assert answers(asked, 4) == [{"price": 8}]
    assert asked.sizes == [1, 1]


def test_each_is_valued_by_who_answers_for_it():
    one, other = Asked(), Asked()

    async def ask():
        together = Together()
        return await asyncio.gather(*(together.answer(own, {"number": 1}) for own in (one, other, one)))

    assert asyncio.run(ask()) == [{"price": 2}] * 3
    assert (one.sizes, other.sizes) == ([2], [1])


def test_what_is_refused_refuses_nobody_else():
    first, refused, broken, last = answers(Asked(), 1, -1, 13, 2)
    assert (first, last) == ({"price": 2}, {"price": 4})
    assert [problem.field for problem in refused.problems] == ["body"]
    assert isinstance(broken, ZeroDivisionError)


def test_more_than_most_are_valued_in_turns():
    asked = Asked()
    told = answers(asked, *range(20, 20 + 2 * MOST + 3))
    assert told == [{"price": 2 * number} for number in range(20, 20 + 2 * MOST + 3)]
    assert asked.sizes == [MOST, MOST, 3]


def test_who_hung_up_is_not_valued():
    asked = Asked()

    async def ask():
        together = Together()
        asking = [asyncio.create_task(together.answer(asked, {"number": number})) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        asking[1].cancel()
        return await asyncio.gather(*asking, return_exceptions=True)

    first, cancelled, last = asyncio.run(ask())
    assert (first, last) == ({"price": 2}, {"price": 6})
    assert isinstance(cancelled, asyncio.CancelledError)
    assert asked.sizes == [2]


def test_all_hung_up_and_nothing_is_asked():
    asked = Asked()

    async def ask():
        asking = asyncio.create_task(Together().answer(asked, {"number": 1}))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert asked.sizes == []


@pytest.mark.parametrize("connections", [4, 8])
def test_a_service_under_load_says_of_each_home_what_it_says_of_it_alone(server, connections):
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
