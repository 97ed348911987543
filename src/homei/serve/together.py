"""Single homes that are asked for at the same moment are valued together: thirty take little longer than one.

What a valuation costs is the beginning of a hundred steps, not a row. Nobody waits until others come: what two turns of
the event loop bring is valued in the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST = 50  # rows at once, for which the event loop stands still: a few milliseconds

Row = Mapping[str, Any]
Answer = dict[str, Any]


class Together:
    """Values rows by `value`, which takes one (`alone`) or many and says the same of each."""

    def __init__(self, value: Callable[..., Sequence[Answer]]) -> None:
        self._value = value
        self._waiting: list[tuple[Row, asyncio.Future[Answer]]] = []

    async def answer(self, row: Row) -> Answer:
        """What `value` says of the row alone; raises what that raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((row, answer))
        if len(self._waiting) == 1:
            # After one turn more, so that those whose first bytes are read in this one are among them.
            loop.call_soon(loop.call_soon, self._answer_all, loop)
        return await answer

    def _answer_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if self._waiting:
            loop.call_soon(self._answer_all, loop)  # what is answered now is sent first
        wanted = [(row, answer) for row, answer in now if not answer.done()]  # who hung up wants none
        for (_, answer), said in zip(wanted, self._said([row for row, _ in wanted]), strict=True):
            if isinstance(said, Exception):
                answer.set_exception(said)
            else:
                answer.set_result(said)

    def _said(self, rows: Sequence[Row]) -> Sequence[Answer | Exception]:
        if len(rows) > 1:
            try:
                return self._value(rows)
            except Exception:  # one that is refused refuses none but itself
                return [self._alone(row) for row in rows]
        return [self._alone(row) for row in rows]

    def _alone(self, row: Row) -> Answer | Exception:
        try:
            return self._value([row], alone=True)[0]
        except Exception as error:
            return error
