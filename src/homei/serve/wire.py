"""What comes before a request is one: bytes that are no HTTP, headers without end, and clients that say nothing.

uvicorn waits for headers as long as a client likes, keeps as many as come, and refuses in words of its own.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS, Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from homei.serve.refusal import Problem, RequestError, answer
from homei.serve.request_ids import HEADER, KEY, App

MOST_BYTES = 65_536  # of a request line and its headers, give or take what is read at once
SECONDS = 15.0


class Protocol(AutoHTTPProtocol):
    """uvicorn's protocol, which refuses in the service's one shape: 400 for what is no HTTP, 431 for headers that are
    too large, 408 for those that don't arrive within `seconds`. A WebSocket is a plain request.

    Requests go to what `before` makes of the app that uvicorn was given.
    """

    seconds = SECONDS
    before: Callable[[App], App]

    def __init__(self, config: Config, *how: Any, **more: Any) -> None:
        super().__init__(config, *how, **more)
        self.app = _app(config, type(self).before)
        self.ws_protocol_class = None
        self._patience: asyncio.TimerHandle | None = None
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._have_headers()
        elif before is None or before.response_complete:
            self._await_headers()
            self._size += len(data)
            if self._size > MOST_BYTES:
                self._refuse(431, Problem("headers", f"are larger than {MOST_BYTES} bytes"))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether an answer is still to be sent, to a client that has said all and closed its side."""
        asked = self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
        return asked and self.scheme == "http"  # TLS knows no half

    def send_400_response(self, msg: str) -> None:
        """Called for what is no HTTP."""
        self._refuse(400, Problem("request", "is not HTTP/1.1"))

    def _await_headers(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.seconds, self._give_up)

    def _have_headers(self) -> None:
        self._size = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._refuse(408, Problem("headers", f"did not arrive within {self.seconds:g} s"))

    def _refuse(self, status: int, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        name = uuid.uuid4().hex
        response = answer({KEY: name}, RequestError(status, [problem], {"connection": "close"}))
        headers = [*response.raw_headers, (HEADER, name.encode())]
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()
        self.transport.write(b"\r\n".join([head, *(b": ".join(pair) for pair in headers), b"", bytes(response.body)]))
        self.transport.close()


def guard(seconds: float, before: Callable[[App], App]) -> None:
    """Has the uvicorn of this process speak by Protocol, with headers within so many seconds, to what `before` makes
    of its app.
    """
    Protocol.seconds, Protocol.before = seconds, staticmethod(before)
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{Protocol.__name__}"


@functools.lru_cache(maxsize=1)
def _app(config: Config, before: Callable[[App], App]) -> Any:
    """One for all connections; a client is who the proxies that are believed say it is."""
    app = before(config.loaded_app)
    return ProxyHeadersMiddleware(app, config.forwarded_allow_ips) if config.proxy_headers else app
