"""What Prometheus and the log are told of requests: by route, never by path, which could hold anything."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from homei.serve.access.routes import METHODS, Routes
from homei.serve.request_ids import App, Message, Receive, Send

LOGGED = "HOMEI_LOG_REQUESTS"  # the environment variable that says of which requests the log has a line
ALL, REFUSED, FAILED = "all", "refused", "failed"
SLOW = 1.0  # seconds; a request that took longer has a line in any case
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus's page
FAILURE = 500  # which is what RequestIds makes of what is raised
UNANSWERED = 499  # as others call it when a client leaves before its answer

log = logging.getLogger("homei.requests")


class WatchError(ValueError):
    """A setting that names no choice; the message has those there are."""


class Watch:
    """An ASGI app around `app` that counts requests, times them, and logs those that failed, were slow or refused."""

    def __init__(self, app: App, routes: Routes, meter: Callable[[], Meter], logged: str = REFUSED) -> None:
        self.app = app
        self._routes = routes
        self._meter = meter()
        self._least = {ALL: 100, REFUSED: 400, FAILED: 500}[logged]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = UNANSWERED

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        self._meter.running(1)
        try:
            return await self.app(scope, receive, sending)
        except Exception:
            status = FAILURE if status == UNANSWERED else status
            raise
        finally:
            seconds = time.perf_counter() - began
            self._meter.running(-1)
            self._tell(scope, status, seconds)

    def _tell(self, scope: Message, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = self._routes.rule(scope["method"], scope["path"]).template
        self._meter.answered(method, route, status, seconds)
        if status >= self._least or seconds >= SLOW:
            level = logging.ERROR if status >= 500 else logging.INFO if status < 400 else logging.WARNING
            told = {"method": method, "path": route, "status": status, "seconds": round(seconds, 6)}
            log.log(level, "%s %s: %d in %.3f s", method, route, status, seconds, extra=told)


class Meter:
    """The figures of requests."""

    def __init__(self, registry: Any = None) -> None:
        # Imported before the service says otherwise, it would gather figures as BentoML wants them: see serve.service.
        import prometheus_client as prometheus

        where = {"registry": registry or prometheus.REGISTRY}
        self._running = prometheus.Gauge("homei_requests_in_flight", "Requests that are being answered.", **where)
        by_route = ["method", "route"]
        self._seconds = prometheus.Histogram(
            "homei_request_seconds", "From a request's head to its answer's end.", by_route, buckets=SECONDS, **where
        )
        self._requests = prometheus.Counter(
            "homei_requests", "Requests that were answered; 499 where the client had left.", [*by_route, "status"],
            **where,
        )  # fmt: skip
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def running(self, change: int) -> None:
        self._running.inc(change)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request by its route's template; there are as many figures as routes, whatever is asked for."""
        found = self._known.get((method, route, status))
        if found is None:
            found = self._seconds.labels(method, route), self._requests.labels(method, route, str(status))
            self._known[method, route, status] = found
        found[0].observe(seconds)
        found[1].inc()


def logged() -> str:
    """Of which requests the environment wants a line; raises WatchError for what is no choice."""
    chosen = os.environ.get(LOGGED) or REFUSED
    if chosen not in (ALL, REFUSED, FAILED):
        raise WatchError(f"{LOGGED} is {chosen}: it should be {ALL}, {REFUSED} or {FAILED}")
    return chosen


def page() -> bytes:
    """All figures of this process, and of what it takes of the machine, as Prometheus reads them."""
    import prometheus_client as prometheus

    return prometheus.generate_latest()
