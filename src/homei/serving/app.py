"""The FastAPI application: routers, exception handlers, and the middleware around it."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from homei.serving.auth.context import AuthContext
from homei.serving.auth.route_access import RouteTable, describe_access
from homei.serving.contract import Contract
from homei.serving.micro_batching import MicroBatcher
from homei.serving.openapi import customise_openapi
from homei.serving.problem_details import add_exception_handlers
from homei.serving.routers import feedback, operations, properties, tokens, trends, valuations


def create_app(contract: Contract, auth: AuthContext | None = None) -> FastAPI:
    """The app of one contract; with `auth` it has the token endpoint, and OpenAPI shows the scopes.

    Who runs it sets `predictor` and `warehouse` on `app.state`, and `cache` and `prediction_log` where they are used.
    """
    app = FastAPIOffline(
        title=f"homei: {contract.title}",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        swagger_ui_parameters={"defaultModelsExpandDepth": -1},  # the list of all schemas would bury the routes
        redirect_slashes=False,
    )
    app.state.contract = contract
    describe_model(app, contract)
    app.state.prediction_log = app.state.cache = None
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
    customise_openapi(app, lambda schema: describe_access(schema, auth is not None))
    return app


def describe_model(app: FastAPI, contract: Contract) -> None:
    """Makes the app's OpenAPI show the version of the model that answers, and its last sale."""
    app.version = contract.model_version
    app.description = f"Valuations in {contract.currency}, from sales up to {contract.as_of}."
    app.openapi_schema = None
