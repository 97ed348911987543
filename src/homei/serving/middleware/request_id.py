"""Request ids: each request has one in its scope, its response and its log lines."""

from __future__ import annotations

import logging
import os
import re
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homei.serving.problem_details import REQUEST_ID_KEY, Problem, ProblemError, problem_response

HEADER = "X-Request-Id"
SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "frame-ancestors 'none'"}
NO_PATH = "/nowhere"  # in place of `*` or a path with a line break, where route patterns would see an end
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# For log lines, which have no scope.
current_request_id: ContextVar[str] = ContextVar("request_id", default="")

log = logging.getLogger("homei.serve")


def request_id(scope: Scope) -> str:
    """The id of a request; empty without RequestIdMiddleware."""
    return scope.get(REQUEST_ID_KEY, "")


class RequestIdMiddleware:
    """Takes the client's X-Request-Id or makes one; answers 500 where the app raises.

    An id that PLAIN_ID does not match is replaced. The log has an exception under the request's id; the response shows
    nothing of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        name = scope[REQUEST_ID_KEY] = _new_id(Headers(scope=scope))
        current_request_id.set(name)
        if not scope["path"].startswith("/") or "\n" in scope["path"]:
            scope["path"] = NO_PATH
        has_started = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                MutableHeaders(scope=message).update({HEADER: name, **SECURITY_HEADERS})
            await send(message)

        try:
            return await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("request %s failed", name)
            if has_started:
                raise
            problem = Problem("request", "the service failed; its log has the reason under the request's id")
            return await problem_response(scope, ProblemError(500, [problem]))(scope, receive, send_with_id)


def _new_id(headers: Headers) -> str:
    values = headers.getlist(HEADER)
    return values[0] if len(values) == 1 and PLAIN_ID.fullmatch(values[0]) else os.urandom(16).hex()
