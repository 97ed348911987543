"""A name for each request, in every answer and every line of the log: the client's own if it is a plain one."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

KEY = "homei.request_id"  # in the scope of a request
HEADER = b"x-request-id"
# No browser takes an answer for what it isn't, or shows it within another's page.
ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"frame-ancestors 'none'"))
# In place of what a router's patterns are not made for, as `*`, or a line break, before which they see an end.
NOWHERE = "/nowhere"
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# The same for what knows no scope, as lines of the log do; each request has a context of its own.
current: ContextVar[str] = ContextVar("request_id", default="")

log = logging.getLogger("homei.serve")


def request_id(scope: Mapping[str, Any]) -> str:
    """The name of a scope's request; empty where no RequestIds is around the app."""
    return scope.get(KEY, "")


class RequestIds:
    """An ASGI app around `app` that names each request in its scope and in the answer's X-Request-Id.

    What `app` raises is logged under that name, and handed to `fallen` for an answer: nothing of it is shown.
    """

    def __init__(self, app: App, fallen: Callable[[Message], App]) -> None:
        self.app = app
        self.fallen = fallen

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        name = scope[KEY] = _name(scope)
        current.set(name)
        if not scope["path"].startswith("/") or "\n" in scope["path"]:
            scope["path"] = NOWHERE
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != HEADER]
                message = {**message, "headers": [*headers, (HEADER, name.encode()), *ALWAYS]}
            await send(message)

        try:
            return await self.app(scope, receive, sending)
        except Exception:
            log.exception("request %s failed", name)
            if began:
                raise
            return await self.fallen(scope)(scope, receive, sending)


def _name(scope: Message) -> str:
    given = [value for name, value in scope["headers"] if name == HEADER]
    if len(given) == 1 and _PLAIN.fullmatch(given[0]):
        return given[0].decode("ascii")
    return os.urandom(16).hex()
