"""A Redis that is stopped, frozen, full or holds foreign data delays responses and changes none."""

import asyncio
import concurrent.futures
import logging
import pickle
import threading
import time
from pathlib import Path

import httpx
import pytest
import redis
from live_server import cache_from_environment
from redis_process import PASSWORD

from homei.serving.cache.store import TIMEOUT_SECONDS, UnreachableError

SEARCH, PRICE = "/api/v1/properties/search", "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
AWAY = "homei; fwd=bypass; detail=away"


async def back(store, seconds=60):
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await store.get("key")
            except UnreachableError:
                await asyncio.sleep(0.02)


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def test_a_redis_that_is_killed_and_restarted_under_load_loses_no_response(service, predictor, own, figures):
    routes = [f"{SEARCH}?limit={limit}" for limit in range(1, 9)] + ["/api/v1/analytics/market-trends"]
    wrong, stopping = [], threading.Event()
    with service(predictor, retry_seconds=0.1, timeout_seconds=TIMEOUT_SECONDS) as client:
        right = {route: client.get(route).content for route in routes}
        valued = client.post(f"{PRICE}?include=comparables", json=HOME).content

        def ask():
            with httpx.Client(base_url=client.base_url, timeout=10) as mine:
                while not stopping.is_set():
                    for route in routes:
                        answer = mine.get(route)
                        if answer.status_code != 200 or answer.content != right[route]:
                            wrong.append((route, answer.status_code))
                    if mine.post(f"{PRICE}?include=comparables", json=HOME).content != valued:
                        wrong.append(PRICE)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            until(lambda: figures.counted("hit") > 50)
            for _ in range(2):
                own.stop()
                before = figures.counted("away")
                until(lambda before=before: figures.counted("away") > before + 50)
                assert not figures.is_up
                own.start()
                before = figures.counted("hit")
                until(lambda before=before: figures.counted("hit") > before + 50)
                until(lambda: figures.is_up)
            stopping.set()
            for asked in asking:
                asked.result()
    assert not wrong


def test_a_frozen_redis_costs_one_timeout_before_each_retry(contract, figures, own):
    async def work():
        store = cache_from_environment(contract, figures.registry, timeout_seconds=0.2, retry_seconds=30)._store
        await store.put("key", b"value")
        own.freeze()
        began = time.perf_counter()
        for _ in range(200):
            with pytest.raises(UnreachableError):
                await store.get("key")
            with pytest.raises(UnreachableError):
                await store.put("key", b"other")
        assert 0.15 < time.perf_counter() - began < 20  # 400 timeouts are 80 seconds
        assert not figures.is_up
        own.thaw()
        store._retry_at = 0
        assert await store.get("key") == b"value" and figures.is_up

    asyncio.run(work())


def test_a_redis_that_starts_late_is_used(contract, figures, own):
    own.stop()

    async def work():
        store = cache_from_environment(contract, figures.registry, retry_seconds=0.05)._store
        with pytest.raises(UnreachableError):
            await store.get("key")
        await asyncio.to_thread(own.start)
        await back(store)
        assert await store.get("key") is None

    asyncio.run(work())


def test_an_outage_is_logged_once_with_the_address_and_without_the_password(contract, figures, own, caplog):
    caplog.set_level(logging.DEBUG)
    own.stop()

    async def work():
        store = cache_from_environment(contract, figures.registry, retry_seconds=0.02)._store
        for _ in range(3):
            with pytest.raises(UnreachableError) as told:
                await store.get("key")
            assert PASSWORD not in str(told.value) and told.value.__cause__ is None
        await asyncio.to_thread(own.start)
        await back(store)
        own.stop()
        with pytest.raises(UnreachableError):
            await store.get("key")

    asyncio.run(work())
    said = [record.getMessage() for record in caplog.records if record.name == "homei.serve"]
    where = f"the cache at redis://127.0.0.1:{own.port}/0"
    assert said == [
        f"{where} is unreachable (ConnectionError): responses are computed until it is back",
        f"{where} is back",
    ]
    assert PASSWORD not in caplog.text


def test_a_wrong_password_counts_as_unreachable_and_is_not_logged(
    service, predictor, own, figures, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HOMEI_CACHE", own.url.replace(PASSWORD, "wrong-one"))
    with service(predictor) as client:
        for _ in range(2):
            answer = client.get(SEARCH)
            assert answer.status_code == 200 and answer.headers["cache-status"] == AWAY
    assert "wrong-one" not in caplog.text and "is unreachable" in caplog.text
    assert figures.counted("away") == 2 and not figures.is_up


class Harm:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("prefix", [b"", b"bytes:", b"Harm:"])
def test_pickles_in_the_cache_are_never_loaded(contract, figures, own, tmp_path, prefix):
    harm = prefix + pickle.dumps(Harm(tmp_path / "harm"))

    async def work():
        store = cache_from_environment(contract, figures.registry)._store
        await store._client.set_raw("key", harm)
        assert await store.get("key") == (harm.removeprefix(prefix) if prefix == b"bytes:" else None)
        await store.put("key", b'{"a":1}')
        assert (await store._client.get_raw("key")).endswith(b'{"a":1}')

    asyncio.run(work())
    assert not (tmp_path / "harm").exists()


def test_a_redis_that_is_full_or_read_only_loses_no_response(service, predictor, own):
    with redis.Redis.from_url(own.url) as admin:
        admin.config_set("maxmemory", 1)
    with service(predictor) as client:
        for _ in range(3):
            assert client.get(SEARCH).status_code == 200
