"""Responses by key: found, or computed once for all requests that wait for the same one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.responses import Response

import homei
from homei.serving.cache.redis_address import address
from homei.serving.cache.store import CacheMetrics, Store, UnreachableError
from homei.serving.contract import Contract
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Query

HIT, MISS, SHARED, AWAY = "hit", "miss", "shared", "away"
# The header Cache-Status (RFC 9211).
CACHE_STATUS = {
    HIT: "homei; hit",
    MISS: "homei; fwd=miss",
    SHARED: "homei; fwd=miss; collapsed",
    AWAY: "homei; fwd=bypass; detail=away",
}


class CachedBody(NamedTuple):
    """The body of a response and its header Cache-Status; None without a cache."""

    body: bytes
    status: str | None = None


Compute = Callable[[], Awaitable[tuple[str, bytes]]]


class Cache:
    """Responses of one contract's service; used from one event loop."""

    def __init__(self, contract: Contract, store: Store, metrics: CacheMetrics) -> None:
        self._store, self._metrics = store, metrics
        self._max_bytes = contract.limits.cache.max_entry_bytes
        # Services of other code or another contract may share the Redis.
        self._namespace = _digest([code_digest(), contract.model_dump(mode="json")])
        self._tasks: dict[str, asyncio.Task[bytes]] = {}

    def key(self, route: str, *parts: Any) -> str:
        """The key of a response: of what code, contract and route, and to what question (`parts`, as JSON)."""
        return f"homei:{route}:{_digest([self._namespace, *parts])}"

    async def answer(self, route: str, key: str, compute: Compute) -> CachedBody:
        """The cached body of a key, or the one that `compute` returns with the key to store it under.

        Concurrent requests for one key wait for one computation and share its exception, which is not cached.
        """
        outcome = MISS
        try:
            if (body := await self._store.get(key)) is not None:
                self._metrics.requests.labels(route, HIT).inc()
                return CachedBody(body, CACHE_STATUS[HIT])
        except UnreachableError:
            outcome = AWAY
        task = self._tasks.get(key)
        if task:
            outcome = SHARED
        else:
            task = self._start(key, compute)
        self._metrics.requests.labels(route, outcome).inc()
        return CachedBody(await asyncio.shield(task), CACHE_STATUS[outcome])  # a client that leaves cancels no other

    def _start(self, key: str, compute: Compute) -> asyncio.Task[bytes]:
        task = self._tasks[key] = asyncio.create_task(self._compute(compute))

        def finish(task: asyncio.Task[bytes]) -> None:
            del self._tasks[key]
            if not task.cancelled():
                task.exception()  # nobody may be left to read it

        task.add_done_callback(finish)
        return task

    async def _compute(self, compute: Compute) -> bytes:
        key, body = await compute()
        if len(body) <= self._max_bytes:
            with contextlib.suppress(UnreachableError):
                await self._store.put(key, body)
        return body


def from_environment(contract: Contract, metrics: CacheMetrics | None = None, **timing: float) -> Cache:
    """The cache that the environment names; `timing` goes to Store. Raises CacheError."""
    metrics = metrics or CacheMetrics()
    store = Store(address(contract.limits.cache), contract.limits.cache, metrics, **timing)
    return Cache(contract, store, metrics)


@functools.cache
def code_digest() -> str:
    """The digest of homei's code: other code may compute other responses."""
    folder = Path(homei.__file__).parent
    return _digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.py"))])


def _digest(parts: Any) -> str:
    return hashlib.sha256(to_json(parts)).hexdigest()


async def cached_read(
    cache: Cache | None, warehouse: WarehouseClient, route: str, request_key: Any, query: Query[bytes]
) -> CachedBody:
    """The result of `query`, or the cached one of an equal request.

    `request_key` is all that the result depends on besides the publication, whose row is read each time and is part of
    the cache's key: a request after a publication is answered from its data. The client is not part of the key.
    """
    if cache is None:
        return CachedBody(await warehouse.read(query))

    def cache_key(publication: Mapping[str, Any]) -> str:
        return cache.key(route, dict(publication), request_key)

    async def compute() -> tuple[str, bytes]:
        publication, body = await warehouse.read(lambda connection, row: (row, query(connection, row)))
        return cache_key(publication), body

    return await cache.answer(route, cache_key(await warehouse.read(lambda _, row: row)), compute)


def cached_response(cached: CachedBody, media_type: str = "application/json") -> Response:
    """A response with a cached body, and whether it comes from the cache (RFC 9211)."""
    headers = {"Cache-Status": cached.status} if cached.status else None
    return Response(cached.body, media_type=media_type, headers=headers)


def json_bytes(value: Any) -> bytes:
    """JSON of a response; NaN and infinity become null."""
    return to_json(value, inf_nan_mode="null")
