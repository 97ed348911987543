"""Limits of requests: the size of their bodies, how many are answered at a time, and how long that may take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homei.serving.problem_details import Problem, ProblemError, problem_response

# A client that is still sending cannot read its refusal: up to this many times the limit is read and dropped first.
DRAIN_FACTOR = 8
CLOSE = {"Connection": "close"}
# Orchestrators must tell a busy service from a dead one, and operators see how busy it is.
UNLIMITED_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
RETRY_AFTER_SECONDS = "1"  # most responses take milliseconds


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `max_bytes` and 408 to one that takes longer than `timeout_seconds`.

    The app is called with the whole body, so that a client that sends slowly takes no place of the concurrency limit.
    FastAPI's own limit of body sizes has neither a timeout nor problem details.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, timeout_seconds: float, max_bytes_by_path: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_seconds = timeout_seconds
        self.max_bytes_by_path = max_bytes_by_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                body = await _read(scope, receive, self.max_bytes_by_path.get(scope["path"], self.max_bytes))
        except TimeoutError:
            problem = Problem("body", f"did not arrive within {self.timeout_seconds:g} s")
            return await problem_response(scope, ProblemError(408, [problem], CLOSE))(scope, receive, send)
        except ProblemError as error:
            return await problem_response(scope, error)(scope, receive, send)
        return await self.app(scope, _replay(body, receive), send)


class ConcurrencyLimitMiddleware:
    """Answers 503 at once beyond `max_concurrency` requests, and 504 after `timeout_seconds`.

    A request that timed out counts as running until its work has ended: a thread cannot be stopped.
    """

    def __init__(self, app: ASGIApp, max_concurrency: int, timeout_seconds: float) -> None:
        self.app = app
        self.max_concurrency = max_concurrency
        self.timeout_seconds = timeout_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            return await self.app(scope, receive, send)
        if len(self._running) >= self.max_concurrency:
            message = f"{self.max_concurrency} other requests are being answered now"
            busy = ProblemError(503, [Problem("request", message)], {"Retry-After": RETRY_AFTER_SECONDS})
            return await problem_response(scope, busy)(scope, receive, send)
        response = _ReplaceableResponse(send)
        task = asyncio.create_task(self.app(scope, receive, response.send))
        self._running.add(task)
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

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
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


async def _read(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The whole body; raises ProblemError where it is too large, or the client disconnects."""
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if "expect" in headers and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)  # the client asks before it sends
    body, n_bytes, has_more = bytearray(), 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, [Problem("body", "is incomplete")], CLOSE)
        n_bytes += len(message.get("body", b""))
        has_more = message.get("more_body", False) and n_bytes <= DRAIN_FACTOR * max_bytes
        if n_bytes <= max_bytes:
            body += message.get("body", b"")
    if n_bytes > max_bytes:
        raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(413, [Problem("body", f"is larger than {max_bytes} bytes")], CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
