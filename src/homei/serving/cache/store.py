"""Bytes by key, in memory or in Redis; an unreachable Redis delays one request a second, and no other.

Only bytes of responses are stored, never pickles: other programs can write into a Redis, and a pickle can hold code.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from homei.serving.cache.redis_address import shown
from homei.serving.config import CacheConfig
from homei.serving.logs import LogThrottle

Result = TypeVar("Result")

TIMEOUT_SECONDS = 0.1  # of a call to Redis, with its connection
RETRY_SECONDS = 1.0  # between calls to a Redis that failed
MAX_CONNECTIONS = 64

log = logging.getLogger("homei.serve")


class UnreachableError(RuntimeError):
    """The cache cannot be called now."""


class CacheMetrics:
    """The Prometheus metrics of the cache."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.requests = Counter(
            "homei_cache_requests",
            "Cacheable responses: hit, miss, shared with a concurrent request, or the cache was away.",
            ["route", "outcome"],
            registry=registry,
        )
        self.up = Gauge("homei_cache_up", "Whether the last call to the cache succeeded.", registry=registry)


class Store:
    """Values that expire after `config.expire_seconds`, in this process or in a Redis."""

    def __init__(
        self,
        redis_url: str | None,
        config: CacheConfig,
        metrics: CacheMetrics,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._client = _redis_client(redis_url, timeout_seconds) if redis_url else _memory_client(config.max_entries)
        self._name = shown(redis_url) if redis_url else "memory"
        self._expire_seconds, self._timeout_seconds, self._retry_seconds = (
            config.expire_seconds,
            timeout_seconds,
            retry_seconds,
        )
        self._up = metrics.up
        self._up.set(redis_url is None)
        self._retry_at: float | None = None  # while the cache is unreachable
        self._throttle = LogThrottle(log)
        self._is_outage_logged = False

    async def get(self, key: str) -> bytes | None:
        """The value of a key; raises UnreachableError."""
        return await self._call(self._client.get(key))

    async def put(self, key: str, value: bytes) -> None:
        """Stores a value; raises UnreachableError."""
        await self._call(self._client.set(key, value, expire=self._expire_seconds))

    async def _call(self, call: Coroutine[Any, Any, Result]) -> Result:
        if self._retry_at is not None:
            if time.monotonic() < self._retry_at:
                call.close()
                raise UnreachableError(self._name)
            self._retry_at = time.monotonic() + self._retry_seconds  # one request tries
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await call
        except Exception as error:
            self._fail(error)
            raise UnreachableError(self._name) from None
        self._succeed()
        return result

    def _fail(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + self._retry_seconds
        self._up.set(0)
        # The kind of error alone: a server's message may repeat the password that it was sent.
        kind = type(error if isinstance(error, TimeoutError) else error.__cause__ or error).__name__
        message = "the cache at %s is unreachable (%s): responses are computed until it is back"
        self._is_outage_logged |= self._throttle.error(message, self._name, kind)

    def _succeed(self) -> None:
        self._retry_at = None
        self._up.set(1)
        if self._is_outage_logged:
            self._is_outage_logged = False
            log.warning("the cache at %s is back", self._name)


def _memory_client(n_entries: int) -> Any:
    from cashews import Cache

    client = Cache()
    client.setup("mem://", size=n_entries, check_interval=0)  # expired values go when they are asked for
    return client


def _redis_client(url: str, timeout_seconds: float) -> Any:
    from cashews import Cache
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    client = Cache()
    client.setup(
        url,
        # The library's default for Redis is pickle, and a secret brings it back.
        pickle_type="null",
        secret=None,
        check_repr=False,
        suppress=False,
        client_name="homei",
        max_connections=MAX_CONNECTIONS,
        wait_for_connection_timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )
    return client
