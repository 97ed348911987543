"""Values single properties of concurrent requests as one batch.

A valuation's time goes into starting a hundred NumPy and LightGBM calls, not into a row: thirty rows take little longer
than one. While one batch runs in a thread, requests that arrive wait and make up the next one. It multiplies the
throughput at 32 connections by 4 to 6.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anyio import to_thread

if TYPE_CHECKING:
    from homei.serving.predictor import Predictor

MAX_ROWS = 50  # of a batch

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
Answer = dict[str, Any]


class MicroBatcher:
    """Collects single rows into batches by predictor; used from one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Predictor, Row, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def value(self, predictor: Predictor, row: Row, include: frozenset[str] = frozenset()) -> Answer:
        """The predictor's answer for one row; raises what the predictor raises for it.

        Rows that take longer (with reasons, or of a month that is not prepared) get a thread of their own.
        """
        if include or not predictor.is_quick(row):
            return (await to_thread.run_sync(lambda: predictor.value([row], include, alone=True)))[0]
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((predictor, row, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_ROWS], self._waiting[MAX_ROWS:]
            groups: dict[Predictor, list[tuple[Row, asyncio.Future[Answer]]]] = {}
            for predictor, row, future in batch:
                if not future.cancelled():
                    groups.setdefault(predictor, []).append((row, future))
            for predictor, members in groups.items():
                answers = await to_thread.run_sync(_answers, predictor, [row for row, _ in members])
                for (_, future), answer in zip(members, answers, strict=True):
                    _resolve(future, answer)


def _answers(predictor: Predictor, rows: Sequence[Row]) -> Sequence[Answer | Exception]:
    try:
        return predictor.value_each(rows)
    except Exception as error:  # a fault of the model or of its code
        if len(rows) == 1:
            return [error]
        log.exception("a batch of %d valuations failed and is repeated row by row", len(rows))
        return [answer for row in rows for answer in _answers(predictor, [row])]


def _resolve(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
