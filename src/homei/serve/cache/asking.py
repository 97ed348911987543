"""How routes ask for answers that may be kept, and what makes one answer another than the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request

from homei.serve.answers import as_json
from homei.serve.cache.keeping import Found
from homei.serve.predictor import Predictor
from homei.warehouse.access import Work


async def published(request: Request, route: str, question: Any, work: Work[bytes], is_short: bool = False) -> Found:
    """What `work` answers of the warehouse, or answered before to the same question.

    The row of `publication` is read each time, and is part of the key: what was published a moment ago is answered
    from. `question` is all else that the answer depends on; who asks is no part of it.
    """
    cache, desk = request.app.state.cache, request.app.state.warehouse
    if cache is None:
        return Found(await desk.read(work, is_short))

    def key(row: Mapping[str, Any]) -> str:
        return cache.key(route, dict(row), question)

    async def make() -> tuple[str, bytes]:
        row, body = await desk.read(lambda connection, row: (row, work(connection, row)), is_short)
        return key(row), body

    return await cache.answer(route, key(await desk.read(lambda _, row: row, is_short=True)), make)


async def valued(
    request: Request, route: str, predictor: Predictor, row: Mapping[str, Any], include: frozenset[str]
) -> Found:
    """A single valuation by `predictor`, with what `include` names, or the one that it gave before for such a row.

    A plain one takes a millisecond or less, and a look into memory a fiftieth of that; to ask a Redis and tell it would
    take half as long again as to make it, so it stays in memory wherever the rest is kept (benchmarks/cache.py).
    """
    cache = request.app.state.cache

    def apart() -> bytes:
        return as_json(predictor.value([row], include, alone=True)[0])

    async def make() -> bytes:
        if include or not predictor.is_quick(row):
            return await to_thread.run_sync(apart)
        # A thread would cost more than it frees.
        return as_json(await request.app.state.together.answer(predictor, row))

    if cache is None:
        return Found(await make())
    key = cache.key(route, predictor.stamp, sorted(include), row)
    if not include:
        return await cache.near(route, key, make)

    async def keyed() -> tuple[str, bytes]:
        return key, await make()

    return await cache.answer(route, key, keyed)
