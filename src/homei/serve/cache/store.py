"""Bytes by key, in memory or in Redis: whoever asks a Redis that is gone is told at once, all but the first.

What is kept are the bytes that were answered, never pickles: a Redis is written by others, and loading a pickle runs
what they wrote.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from homei.serve.cache.address import shown
from homei.serve.cache.metrics import Metrics
from homei.serve.writer import Complaint
from homei.serving import Cache

Answer = TypeVar("Answer")

PATIENCE = 0.1  # seconds that Redis has for an answer, its connection included
RETRY = 0.5  # seconds between two looks whether it is back
CONNECTIONS = 64

log = logging.getLogger("homei.serve")


class AwayError(RuntimeError):
    """The cache can't be asked now."""


class Store(Protocol):
    """Where values are kept for a while, as one event loop has it."""

    async def get(self, key: str) -> bytes | None:
        """What is kept under a key; raises AwayError."""

    async def put(self, key: str, value: bytes) -> None:
        """Keeps a value; raises AwayError."""


class Memory:
    """A service's own: the `entries` that were asked for last, each for as long as `settings` say."""

    def __init__(self, settings: Cache) -> None:
        from cashews.backends.memory import Memory as Backend

        self._seconds = settings.seconds
        # Without the library's own layers around it, which take eight times as long and have nothing to do here. What
        # is too old goes when it is asked for, or as the one that was asked for least lately.
        self._backend = Backend(size=settings.entries, check_interval=0)

    async def get(self, key: str) -> bytes | None:
        return await self._backend.get(key)

    async def put(self, key: str, value: bytes) -> None:
        await self._backend.set(key, value, expire=self._seconds)


class Remote:
    """A Redis that others use too.

    The first call that it fails, or keeps waiting for longer than `patience`, opens the circuit: all further ones raise
    AwayError without asking, until a task of the loop, that pings it every `retry` seconds, has an answer.
    """

    def __init__(
        self, url: str, settings: Cache, metrics: Metrics, patience: float = PATIENCE, retry: float = RETRY
    ) -> None:
        self.name = shown(url)
        self._seconds, self._patience, self._retry = settings.seconds, patience, retry
        self._metrics = metrics
        self._library = _client(url, patience)
        self._is_up: bool | None = None
        self._returning: asyncio.Task[None] | None = None
        self._complaint = Complaint()

    @property
    def is_away(self) -> bool:
        """Whether it failed, and hasn't answered since."""
        return self._is_up is False

    async def get(self, key: str) -> bytes | None:
        return await self._asked(self._library.get(key))

    async def put(self, key: str, value: bytes) -> None:
        await self._asked(self._library.set(key, value, expire=self._seconds))

    async def _asked(self, asking: Awaitable[Answer]) -> Answer:
        if self.is_away:
            asking.close()  # type: ignore[attr-defined]
            raise AwayError(self.name)
        try:
            answer = await self._in_time(asking)
        except Exception as error:
            self._went(error)
            raise AwayError(self.name) from None
        self._is_here()
        return answer

    async def _in_time(self, asking: Awaitable[Answer]) -> Answer:
        async with asyncio.timeout(self._patience):
            return await asking

    def _went(self, error: Exception) -> None:
        if self.is_away:
            return  # several were waiting
        self._is_up = False
        self._metrics.up(False)
        # Its kind alone: a server's words may repeat what it was sent, a password among it.
        why = type(error if isinstance(error, TimeoutError) else error.__cause__ or error).__name__
        told = self._complaint.tell(
            "the cache at %s is away (%s): answers are made anew until it is back", self.name, why
        )
        self._returning = asyncio.get_running_loop().create_task(self._return(told))

    async def _return(self, is_told: bool) -> None:
        while self.is_away:
            await asyncio.sleep(self._retry)
            try:
                await self._in_time(self._library.ping())
            except Exception:
                continue
            self._is_here()
            if is_told:
                log.warning("the cache at %s is back", self.name)

    def _is_here(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._metrics.up(True)


def _client(url: str, patience: float) -> Any:
    from cashews import Cache as Library
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    library = Library()
    library.setup(
        url,
        # The library's default for Redis is pickle, and a secret brings it back.
        pickle_type="null",
        secret=None,
        check_repr=False,
        suppress=False,
        client_name="homei",
        max_connections=CONNECTIONS,
        wait_for_connection_timeout=patience,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )
    return library
