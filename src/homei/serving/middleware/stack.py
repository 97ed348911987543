"""The middleware around the app, in order."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware import Middleware

from homei.serving.auth.context import AuthContext
from homei.serving.auth.middleware import AuthMiddleware, LoopbackOnlyMiddleware
from homei.serving.config import ServeConfig
from homei.serving.middleware.limits import BodyLimitMiddleware, ConcurrencyLimitMiddleware
from homei.serving.middleware.metrics import MetricsMiddleware, RequestMetrics, log_requests_from_environment
from homei.serving.middleware.request_id import RequestIdMiddleware

BATCH = "/api/v1/predict/batch"


def middleware_stack(
    app: FastAPI, limits: ServeConfig, auth: AuthContext | None, metrics: RequestMetrics | None = None
) -> list[Middleware]:
    """The middleware for an app's routes, the outermost first.

    A request gets its id before anything refuses it, is authorised before its body is read, and counts as running only
    once its body is complete.
    """
    routes = app.state.routes
    return [
        Middleware(RequestIdMiddleware),
        Middleware(
            MetricsMiddleware,
            routes=routes,
            metrics=metrics or RequestMetrics(),
            log_requests=log_requests_from_environment(),
        ),
        Middleware(AuthMiddleware, auth=auth, routes=routes) if auth else Middleware(LoopbackOnlyMiddleware),
        Middleware(
            BodyLimitMiddleware,
            max_bytes=limits.max_body_bytes,
            timeout_seconds=limits.timeout / 2,
            max_bytes_by_path={BATCH: limits.max_batch_bytes},
        ),
        Middleware(ConcurrencyLimitMiddleware, max_concurrency=limits.max_concurrency, timeout_seconds=limits.timeout),
    ]
