"""Limits of requests: size of bodies, number of concurrent requests, and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homei.serving.problem_details import Problem, ProblemError, problem_response

# A client that is still sending cannot read its refusal: up to this many times the limit is read and dropped first.
DRAIN_FACTOR = 8
CLOSE = {"Connection": "close"}
# Orchestrators must tell a busy service from a dead one, and operators see how busy it is.
UNLIMITED_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
RETRY_AFTER_SECONDS = "1"  # most responses take milliseconds


class BodyLimit(NamedTuple):
    """The limits of a body: its bytes, and the seconds in which it must arrive."""

    max_bytes: int
    timeout_seconds: float


class BodyLimitMiddleware:
    """Limits the size of a body (413), its time (408), and the size of all bodies together (503).

    The app is called with the whole body, so that a client that sends slowly takes no place of the concurrency limit.
    `max_bytes_in_flight` limits all bodies that are being read or answered. FastAPI's own limit of body sizes has
    neither a timeout nor problem details.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: BodyLimit,
        max_bytes_in_flight: int,
        limits_by_path: Mapping[str, BodyLimit] | None = None,
    ) -> None:
        self.app = app
        self._limit, self._limits_by_path = limit, limits_by_path or {}
        self._max_bytes_in_flight, self._bytes_in_flight = max_bytes_in_flight, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        limit = self._limits_by_path.get(scope["path"], self._limit)
        parts: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(limit.timeout_seconds):
                    await self._read(scope, receive, limit.max_bytes, parts)
            except TimeoutError:
                raise _too_slow(limit.timeout_seconds) from None
            parts[:] = [b"".join(parts)]
            return await self.app(scope, _replay(parts[0], receive), send)
        except ProblemError as error:
            return await problem_response(scope, error)(scope, receive, send)
        finally:
            self._bytes_in_flight -= sum(map(len, parts))

    async def _read(self, scope: Scope, receive: Receive, max_bytes: int, parts: list[bytes]) -> None:
        """Reads into `parts`; raises ProblemError if they are too large, or the client disconnects."""
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if "expect" in headers and declared.isdigit() and int(declared[:20]) > max_bytes:
            raise _too_large(max_bytes)  # the client asks before it sends
        n_bytes, has_more = 0, True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(400, [Problem("body", "is incomplete")], CLOSE)
            part = message.get("body", b"")
            n_bytes += len(part)
            has_more = message.get("more_body", False) and n_bytes <= DRAIN_FACTOR * max_bytes
            if n_bytes <= max_bytes:
                if self._bytes_in_flight + len(part) > self._max_bytes_in_flight:
                    raise _busy("the bodies of other requests take all memory for bodies")
                self._bytes_in_flight += len(part)
                parts.append(part)
        if n_bytes > max_bytes:
            raise _too_large(max_bytes)


class ConcurrencyLimitMiddleware:
    """Answers 503 at once beyond a number of requests, and 504 after `timeout_seconds`.

    `max_concurrency` limits all requests, `max_concurrency_by_path` those of a path. A request that timed out
    counts as running until its work has ended: a thread cannot be stopped.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_concurrency: int,
        timeout_seconds: float,
        max_concurrency_by_path: Mapping[str, int] | None = None,
    ) -> None:
        self.app = app
        self.max_concurrency = max_concurrency
        self.timeout_seconds = timeout_seconds
        self._max_by_path = max_concurrency_by_path or {}
        self._running: dict[asyncio.Task[None], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            return await self.app(scope, receive, send)
        if busy := self._busy(scope["path"]):
            return await problem_response(scope, busy)(scope, receive, send)
        response = _ReplaceableResponse(send)
        task = asyncio.create_task(self.app(scope, receive, response.send))
        self._running[task] = scope["path"]
        task.add_done_callback(self._finish)
        done, _ = await asyncio.wait({task}, timeout=self.timeout_seconds)
        if done:
            return task.result()
        if response.has_started:
            task.cancel()  # the status is sent; all that can be told now is that the rest does not come
            return await task
        response.is_replaced = True
        message = f"could not be answered within {self.timeout_seconds:g} s; ask for less"
        return await problem_response(scope, ProblemError(504, [Problem("request", message)]))(scope, receive, send)

    def _busy(self, path: str) -> ProblemError | None:
        if len(self._running) >= self.max_concurrency:
            return _busy(f"{self.max_concurrency} other requests are being answered now")
        max_of_path = self._max_by_path.get(path, self.max_concurrency)
        if list(self._running.values()).count(path) >= max_of_path:
            return _busy(f"{max_of_path} other requests to this path are being answered now")
        return None

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()  # of a request that timed out nothing else reads it


class _ReplaceableResponse:
    """Sends a response until it is replaced by another one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_started = self.is_replaced = False

    async def send(self, message: Message) -> None:
        if not self.is_replaced:
            self.has_started = True
            await self._send(message)


def _too_slow(seconds: float) -> ProblemError:
    return ProblemError(408, [Problem("body", f"did not arrive within {seconds:g} s")], CLOSE)


def _busy(message: str) -> ProblemError:
    return ProblemError(503, [Problem("request", message)], {"Retry-After": RETRY_AFTER_SECONDS})


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(413, [Problem("body", f"is larger than {max_bytes} bytes")], CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
