"""Answers by key: found, or made once for all that ask at the same time, and kept where they are no refusals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

import homei
from homei.serve.cache.address import address
from homei.serve.cache.metrics import AWAY, HIT, MISS, SHARED, Metrics
from homei.serve.cache.store import AwayError, Memory, Remote, Store
from homei.serve.contract import Contract

# As RFC 9211 has it.
STATUS = {
    HIT: "homei; hit",
    MISS: "homei; fwd=miss",
    SHARED: "homei; fwd=miss; collapsed",
    AWAY: "homei; fwd=bypass; detail=away",
}


class Found(NamedTuple):
    """The bytes of an answer, and what `Cache-Status` says of them; None where nothing is kept."""

    body: bytes
    status: str | None = None


Make = Callable[[], Awaitable[tuple[str, bytes]]]


class Cache:
    """Answers of one contract's service; used from one event loop."""

    def __init__(self, contract: Contract, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        # Apart, so that thousands of these a second push out nothing that took longer to make.
        self._near = Memory(contract.limits.cache)
        self._most = contract.limits.cache.entry_bytes
        # Services of another program or contract may share a Redis.
        self._own = _digest([program(), contract.model_dump(mode="json")])
        self._making: dict[str, asyncio.Task[bytes]] = {}

    def key(self, route: str, *parts: Any) -> str:
        """The key of an answer: who makes it, of what versions and to which question, as JSON has them."""
        return f"homei:{route}:{_digest([self._own, *parts])}"

    async def answer(self, route: str, key: str, make: Make) -> Found:
        """What is kept under the key, or what `make` gives: an answer, and the key that it is to be kept under.

        Those who ask for the same key meanwhile wait for the same answer, or get the same exception, which isn't kept.
        """
        outcome = MISS
        try:
            if (kept := await self._store.get(key)) is not None:
                self._metrics.asked(route, HIT)
                return Found(kept, STATUS[HIT])
        except AwayError:
            outcome = AWAY
        making = self._making.get(key)
        if making:
            outcome = SHARED
        else:
            making = self._begin(key, make)
        self._metrics.asked(route, outcome)
        # One who goes away takes the answer from nobody else.
        return Found(await asyncio.shield(making), STATUS[outcome])

    async def near(self, route: str, key: str, make: Callable[[], Awaitable[bytes]]) -> Found:
        """As `answer`, from the service's own memory: for what is made sooner than a Redis would tell."""
        if (kept := await self._near.get(key)) is not None:
            self._metrics.asked(route, HIT)
            return Found(kept, STATUS[HIT])
        self._metrics.asked(route, MISS)
        body = await make()
        await self._near.put(key, body)
        return Found(body, STATUS[MISS])

    def _begin(self, key: str, make: Make) -> asyncio.Task[bytes]:
        making = self._making[key] = asyncio.get_running_loop().create_task(self._made(make))

        def end(made: asyncio.Task[bytes]) -> None:
            del self._making[key]
            if not made.cancelled():
                made.exception()  # that nobody is left to hear of it is no error

        making.add_done_callback(end)
        return making

    async def _made(self, make: Make) -> bytes:
        key, body = await make()
        if len(body) <= self._most:
            with contextlib.suppress(AwayError):
                await self._store.put(key, body)
        return body


def from_environment(contract: Contract, metrics: Metrics | None = None, **how: float) -> Cache:
    """The cache that the environment asks for; to be made in the process that serves. Raises CacheError.

    `how` goes to a Remote.
    """
    settings, metrics = contract.limits.cache, metrics or Metrics()
    if url := address(settings):
        return Cache(contract, Remote(url, settings, metrics, **how), metrics)
    metrics.up(True)
    return Cache(contract, Memory(settings), metrics)


@functools.cache
def program() -> str:
    """The fingerprint of the code that answers: another one's answers may be of another shape."""
    folder = Path(homei.__file__).parent
    return _digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.py"))])


def _digest(parts: Any) -> str:
    return hashlib.sha256(to_json(parts)).hexdigest()
