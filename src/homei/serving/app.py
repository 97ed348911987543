"""The FastAPI application: routers, exception handlers, and the middleware around it."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware

from homei.serving.auth.context import AuthContext
from homei.serving.auth.middleware import AuthMiddleware, LoopbackOnlyMiddleware
from homei.serving.auth.route_access import TOKEN_PATH, RouteTable
from homei.serving.config import ServeConfig
from homei.serving.contract import Contract
from homei.serving.deps import check_query_string
from homei.serving.micro_batching import MicroBatcher
from homei.serving.middleware.limits import BodyLimit, BodyLimitMiddleware, ConcurrencyLimitMiddleware
from homei.serving.middleware.metrics import MetricsMiddleware, RequestMetrics, log_requests_from_environment
from homei.serving.middleware.request_id import RequestIdMiddleware
from homei.serving.openapi import customise_openapi
from homei.serving.problem_details import add_exception_handlers
from homei.serving.routers import feedback, operations, properties, tokens, trends, valuations

BATCH = "/api/v1/predict/batch"
TOKEN_BODY = BodyLimit(max_bytes=8192, timeout_seconds=5)  # anyone may send one


def create_app(contract: Contract, auth: AuthContext | None = None) -> FastAPI:
    """The app of one contract; with `auth` it has the token endpoint, and OpenAPI shows the scopes.

    Who runs it sets `predictor` and `warehouse` on `app.state`; `cache`, `prediction_log` and `feedback_queue` are
    optional.
    """
    app = FastAPIOffline(
        title=f"homei: {contract.title}",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        swagger_ui_parameters={"defaultModelsExpandDepth": -1},  # the list of all schemas would bury the routes
        redirect_slashes=False,
        dependencies=[Depends(check_query_string)],
    )
    describe_model(app, contract)
    app.state.prediction_log = app.state.feedback_queue = app.state.cache = None
    app.state.batcher = MicroBatcher()
    add_exception_handlers(app)
    app.include_router(operations.router)
    app.include_router(valuations.create_router(contract))
    app.include_router(properties.create_router(contract))
    app.include_router(trends.router)
    app.include_router(feedback.router)
    app.state.auth = auth
    if auth:
        app.include_router(tokens.router)
    app.state.routes = RouteTable(app)
    customise_openapi(app, has_auth=auth is not None)
    return app


def describe_model(app: FastAPI, contract: Contract) -> None:
    """Makes the app's OpenAPI show the version of the model that answers, and its last sale."""
    app.version = contract.model_version
    app.description = f"Valuations in {contract.currency}, from sales up to {contract.as_of}."
    app.openapi_schema = None


def middleware_stack(
    app: FastAPI, limits: ServeConfig, auth: AuthContext | None, metrics: RequestMetrics | None = None
) -> list[Middleware]:
    """The middleware for an app's routes, the outermost first.

    A request gets its id before anything refuses it, is authorised before its body is read, and counts as running only
    once its body is complete.
    """
    routes = app.state.routes
    seconds = limits.timeout_seconds / 2
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
            limit=BodyLimit(limits.max_body_bytes, seconds),
            max_bytes_in_flight=limits.max_bytes_in_flight,
            limits_by_path={
                BATCH: BodyLimit(limits.max_batch_bytes, seconds),
                TOKEN_PATH: TOKEN_BODY,
            },
        ),
        Middleware(
            ConcurrencyLimitMiddleware,
            max_concurrency=limits.max_concurrency,
            timeout_seconds=limits.timeout_seconds,
            max_concurrency_by_path={BATCH: limits.max_batches},
        ),
    ]
