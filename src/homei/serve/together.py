"""Single homes that are asked for at the same moment are valued together: thirty take little longer than one.

What a valuation costs is the beginning of a hundred steps, not a row. Nobody waits until others come: what two turns of
the event loop bring is valued in the next, and while a turn brings more, in the one after it. Of clients that ask again
once they are answered two crowds that take turns become one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

MOST = 50  # rows at once, for which the event loop stands still: a few milliseconds

Row = Mapping[str, Any]
Answer = dict[str, Any]


class Valuing(Protocol):
    """What values rows, one (`alone`) or many, and says the same of each: a Predictor."""

    def value(self, rows: Sequence[Row], *, alone: bool = False) -> Sequence[Answer]: ...


class Together:
    """Values single rows, each by who answers for it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Valuing, Row, asyncio.Future[Answer]]] = []

    async def answer(self, predictor: Valuing, row: Row) -> Answer:
        """What the predictor says of the row alone; raises what that raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((predictor, row, answer))
        if len(self._waiting) == 1:
            soon(loop, self._answer_once_all_are_here, loop, 1)
        return await answer

    def _answer_once_all_are_here(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        now = len(self._waiting)
        if before < now < MOST:
            loop.call_soon(self._answer_once_all_are_here, loop, now)
        else:
            self._answer_all(loop)

    def _answer_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if self._waiting:
            loop.call_soon(self._answer_all, loop)  # what is answered now is sent first
        theirs: dict[Valuing, list[tuple[Row, asyncio.Future[Answer]]]] = {}
        for predictor, row, answer in now:
            if not answer.done():  # who hung up wants none
                theirs.setdefault(predictor, []).append((row, answer))
        for predictor, wanted in theirs.items():
            tell([answer for _, answer in wanted], _said(predictor, [row for row, _ in wanted]))


def _said(predictor: Valuing, rows: Sequence[Row]) -> Sequence[Answer | Exception]:
    if len(rows) > 1:
        with contextlib.suppress(Exception):  # one that is refused refuses none but itself
            return predictor.value(rows)
    return [_alone(predictor, row) for row in rows]


def _alone(predictor: Valuing, row: Row) -> Answer | Exception:
    try:
        return predictor.value([row], alone=True)[0]
    except Exception as error:
        return error


def soon(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: Any) -> None:
    """Calls after one turn of the loop more than the next: who is read in this one has asked by then."""
    loop.call_soon(loop.call_soon, call, *arguments)


def tell(waiting: Sequence[asyncio.Future[Any]], said: Sequence[Any]) -> None:
    """Gives each who waits and hasn't hung up what is said to it, an answer or an error."""
    for answer, own in zip(waiting, said, strict=True):
        if answer.done():
            continue
        if isinstance(own, Exception):
            answer.set_exception(own)
        else:
            answer.set_result(own)
