"""Which responses are cached, computed once for several requests, or never cached."""

import asyncio

import pytest
from live_server import cache_from_environment

from homei.serving.cache.service import code_digest
from homei.serving.problem_details import Problem, ProblemError


class Maker:
    """Computes the response of a key, and counts how often."""

    def __init__(self, key, body=b"{}", seconds=0.0):
        self.key, self.body, self.seconds, self.made = key, body, seconds, 0

    async def __call__(self):
        self.made += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.body, Exception):
            raise self.body
        return self.key, self.body


def tried(contract, figures, work):
    return asyncio.run(work(cache_from_environment(contract, figures.registry)))


def test_a_cached_response_is_returned_byte_for_byte(contract, figures, anywhere):
    async def work(cache):
        key = cache.key("/route", anywhere, "bytes")
        maker = Maker(key, b'{"price":1.0}\n\xff')
        first, second = [await cache.answer("/route", key, maker) for _ in range(2)]
        assert first.body == second.body == maker.body and maker.made == 1
        assert (first.status, second.status) == ("homei; fwd=miss", "homei; hit")

    tried(contract, figures, work)
    assert (figures.counted("miss", "/route"), figures.counted("hit", "/route")) == (1, 1)
    assert figures.is_up


@pytest.mark.parametrize("body", [b"", b"1", b"123", b"bytes:", b"int:1", b"\x80\x05N."])
def test_any_bytes_are_cached_unchanged(contract, figures, anywhere, body):
    async def work(cache):
        key = cache.key("/route", anywhere, str(body))
        assert (await cache.answer("/route", key, Maker(key, body))).body == body
        assert (await cache.answer("/route", key, Maker(key, b"another"))).body == body

    tried(contract, figures, work)


def test_keys_differ_by_route_version_parameters_and_contract(contract):
    one, other = (
        cache_from_environment(contract),
        cache_from_environment(contract.model_copy(update={"model_version": "another"})),
    )
    parts = [
        ("/a", "v", [1, "x"]),
        ("/b", "v", [1, "x"]),
        ("/a", "w", [1, "x"]),
        ("/a", "v", [1, "y"]),
        ("/a", "v1", ["x"]),
    ]
    keys = [one.key(*each) for each in parts] + [other.key(*parts[0])]
    assert len(set(keys)) == len(keys)
    assert one.key(*parts[0]) == cache_from_environment(contract).key(*parts[0])


def test_other_code_has_other_keys(contract, monkeypatch):
    before = cache_from_environment(contract).key("/a")
    monkeypatch.setattr("homei.serving.cache.service.code_digest", lambda: code_digest() + "x")
    assert cache_from_environment(contract).key("/a") != before


def test_refusals_and_failures_are_not_cached(contract, figures, anywhere):
    async def work(cache):
        key = cache.key("/route", anywhere, "refused")
        for error in (ProblemError(422, [Problem("a", "b")]), ZeroDivisionError()):
            with pytest.raises(type(error)):
                await cache.answer("/route", key, Maker(key, error))
        assert (await cache.answer("/route", key, Maker(key))).status == "homei; fwd=miss"

    tried(contract, figures, work)


def test_concurrent_requests_share_one_computation(contract, figures, anywhere):
    async def work(cache):
        key = cache.key("/route", anywhere, "at once")
        maker = Maker(key, b"one", 0.1)
        found = await asyncio.gather(*(cache.answer("/route", key, maker) for _ in range(20)))
        assert maker.made == 1 and {each.body for each in found} == {b"one"}

    tried(contract, figures, work)
    assert (figures.counted("miss"), figures.counted("shared"), figures.counted("hit")) == (1, 19, 0)


def test_concurrent_requests_share_a_refusal(contract, figures):
    async def work(cache):
        maker = Maker(key := cache.key("/route", "refused"), ProblemError(404, [Problem("a", "b")]), 0.05)
        asked = (cache.answer("/route", key, maker) for _ in range(3))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert maker.made == 1 and [error.status_code for error in found] == [404] * 3

    tried(contract, figures, work)


def test_a_cancelled_request_does_not_cancel_the_shared_computation(contract, figures):
    async def work(cache):
        maker = Maker(key := cache.key("/route", "going"), b"one", 0.1)
        first, second = [asyncio.create_task(cache.answer("/route", key, maker)) for _ in range(2)]
        await asyncio.sleep(0.02)
        first.cancel()
        assert (await second).body == b"one" and maker.made == 1
        assert (await cache.answer("/route", key, maker)).status == "homei; hit"

    tried(contract, figures, work)


def test_a_response_is_cached_under_the_version_it_was_computed_from(contract, figures):
    async def work(cache):
        old, new = cache.key("/route", "old"), cache.key("/route", "new")
        assert (await cache.answer("/route", old, Maker(new, b"new"))).body == b"new"
        assert (await cache.answer("/route", new, Maker(new, b"again"))).body == b"new"
        assert (await cache.answer("/route", old, Maker(old, b"old"))).body == b"old"

    tried(contract, figures, work)


def test_the_memory_cache_is_limited_by_entries_and_bytes_of_an_entry(contract, figures, monkeypatch):
    monkeypatch.delenv("HOMEI_CACHE", raising=False)

    async def work(cache):
        limits = contract.limits.cache
        maker = Maker("large", b"x" * (limits.max_entry_bytes + 1))
        for _ in range(2):
            await cache.answer("/route", "large", maker)
        assert maker.made == 2
        for number in range(limits.max_entries + 1):
            await cache.answer("/route", str(number), Maker(str(number)))
        assert (await cache.answer("/route", str(limits.max_entries), Maker("x"))).status == "homei; hit"
        assert (await cache.answer("/route", "0", Maker("0"))).status == "homei; fwd=miss"

    tried(contract, figures, work)


def test_an_expired_response_is_computed_again(contract, figures, anywhere):
    limits = contract.limits.model_copy(
        update={"cache": contract.limits.cache.model_copy(update={"expire_seconds": 1})}
    )

    async def work(cache):
        maker = Maker(key := cache.key("/route", anywhere, "old"))
        for expected in (1, 1, 2):
            await cache.answer("/route", key, maker)
            assert maker.made == expected
            if expected == 1:
                await asyncio.sleep(0.55)

    tried(contract.model_copy(update={"limits": limits}), figures, work)
