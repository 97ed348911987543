"""Counts, times and logs requests by route, never by path, which could hold anything."""

from __future__ import annotations

import logging
import os
import time

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homei.serving.auth.route_access import METHODS, RouteTable

LOG_REQUESTS = "HOMEI_LOG_REQUESTS"  # the environment variable: which requests have a line in the log
ALL, REFUSED, FAILED = "all", "refused", "failed"
LEAST_LOGGED_STATUS = {ALL: 100, REFUSED: 400, FAILED: 500}
SLOW_SECONDS = 1.0  # a request that took longer has a line in any case
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that leaves before its response

log = logging.getLogger("homei.requests")


class LogRequestsError(ValueError):
    """A value of HOMEI_LOG_REQUESTS that is none of its choices; the message lists them."""


class RequestMetrics:
    """The Prometheus metrics of requests; `registry` is the process's own unless another one is given."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.in_flight = Gauge("homei_requests_in_flight", "Requests that are being answered.", registry=registry)
        self.seconds = Histogram(
            "homei_request_seconds",
            "From a request's head to its response's end.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "homei_requests",
            "Requests that were answered; 499 where the client had left.",
            ["method", "route", "status"],
            registry=registry,
        )


class MetricsMiddleware:
    """Measures every request, and logs those that failed, were refused or slow."""

    def __init__(self, app: ASGIApp, routes: RouteTable, metrics: RequestMetrics, log_requests: str = REFUSED) -> None:
        self.app = app
        self._routes, self._metrics = routes, metrics
        self._least_logged_status = LEAST_LOGGED_STATUS[log_requests]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = CLIENT_CLOSED_REQUEST

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, send_and_note_status)
            except Exception:
                status = 500 if status == CLIENT_CLOSED_REQUEST else status
                raise
            finally:
                self._record(scope, status, time.perf_counter() - started)
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = self._routes.find(scope).template
        self._metrics.seconds.labels(method, route).observe(seconds)
        self._metrics.requests.labels(method, route, str(status)).inc()
        if status >= self._least_logged_status or seconds >= SLOW_SECONDS:
            level = logging.ERROR if status >= 500 else logging.INFO if status < 400 else logging.WARNING
            fields = {"method": method, "path": route, "status": status, "seconds": round(seconds, 6)}
            log.log(level, "%s %s: %d in %.3f s", method, route, status, seconds, extra=fields)


def log_requests_from_environment() -> str:
    """Which requests the environment wants logged; raises LogRequestsError for an unknown choice."""
    choice = os.environ.get(LOG_REQUESTS) or REFUSED
    if choice not in LEAST_LOGGED_STATUS:
        raise LogRequestsError(f"{LOG_REQUESTS} is {choice}: it should be {ALL}, {REFUSED} or {FAILED}")
    return choice
