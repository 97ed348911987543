"""How many requests are answered at a time, and how long an answer may take: the service's own overload is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from homei.serve.refusal import Problem, RequestError, answer
from homei.serve.request_ids import App, Message, Receive, Send

# An orchestrator must tell a busy service from a dead one, and an operator see how busy it is.
ALWAYS = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
RETRY = "1"  # seconds; most answers take milliseconds


class Traffic:
    """An ASGI app around `app` that answers 503 to a request beyond `most`, at once, and 504 after `seconds`.

    An answer that comes too late is dropped, and keeps its place among the `most` until its work has ended: a thread
    can't be stopped, and what waits behind it must not add to it. Paths in ALWAYS are neither counted nor timed.
    """

    def __init__(self, app: App, most: int, seconds: float) -> None:
        self.app = app
        self.most = most
        self.seconds = seconds
        self._running = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            return await self.app(scope, receive, send)
        if self._running >= self.most:
            return await answer(scope, busy(self.most))(scope, receive, send)
        self._running += 1
        timed = _Timed(scope, receive, send, self.seconds)
        try:
            await self.app(scope, receive, timed.send)
        finally:
            self._running -= 1
            await timed.end()
        return None


class _Timed:
    """The sending of one answer, which another one replaces that begins in time."""

    __slots__ = ("_began", "_late", "_receive", "_scope", "_seconds", "_send", "_task", "_timer")

    def __init__(self, scope: Message, receive: Receive, send: Send, seconds: float) -> None:
        self._scope, self._receive, self._send, self._seconds = scope, receive, send, seconds
        self._began = False
        self._late: Awaitable[None] | None = None
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer = loop.call_later(seconds, self._expire)

    async def send(self, message: Message) -> None:
        if self._late is None:
            self._began = True
            await self._send(message)

    async def end(self) -> None:
        self._timer.cancel()
        if self._late is not None:
            await self._late

    def _expire(self) -> None:
        if not self._began:
            late = answer(self._scope, slow(self._seconds))
            self._late = asyncio.ensure_future(late(self._scope, self._receive, self._send))
        elif self._task is not None:
            # Half of it is sent: all that can be told now is that the rest does not come.
            self._task.cancel()


def busy(most: int) -> RequestError:
    """A request that comes while as many as may be are answered."""
    return RequestError(503, [Problem("request", f"{most} others are being answered now")], {"retry-after": RETRY})


def slow(seconds: float) -> RequestError:
    """A request whose answer is not there in time."""
    return RequestError(504, [Problem("request", f"could not be answered within {seconds:g} s; ask for less")])
