"""A service without keys is for this machine alone."""

from __future__ import annotations

import ipaddress

from homei.serve.refusal import Problem, RequestError, answer
from homei.serve.request_ids import App, Message, Receive, Send


def is_loopback(host: str) -> bool:
    """Whether an address is one that other machines can't reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class LoopbackOnly:
    """An ASGI app around `app` that refuses what comes by another address than loopback, however it was started.

    `homei serve` doesn't start an open service there at all; BentoML's own command would.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._known: dict[str, bool] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_near(scope.get("server")):
            return await self.app(scope, receive, send)
        problem = Problem("host", "this service has no keys, so it answers on loopback only: set HOMEI_KEYS")
        return await answer(scope, RequestError(403, [problem]))(scope, receive, send)

    def _is_near(self, server: tuple[str, int | None] | None) -> bool:
        if server is None or server[1] is None:  # a Unix socket
            return True
        host = server[0]
        if host not in self._known:
            self._known[host] = is_loopback(host)
        return self._known[host]
