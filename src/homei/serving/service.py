"""The BentoML service; it runs inside a Bento, beside model, market history and service.json."""

from __future__ import annotations

import os
from pathlib import Path

# prometheus_client, once imported, would write metrics to files that BentoML shares between processes. This service has
# one process, and another service that starts with the same BENTOML_HOME would empty the folder.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from homei.serving import logs
from homei.serving.app import create_app, describe_model, middleware_stack
from homei.serving.auth.context import from_environment as auth_from_environment
from homei.serving.cache.service import from_environment as cache_from_environment
from homei.serving.contract import Contract, read
from homei.serving.experiment import load_models
from homei.serving.feedback_queue import from_environment as feedback_queue_from_environment
from homei.serving.model_reload import from_environment as reloader_from_environment
from homei.serving.predictions.log import from_environment as prediction_log_from_environment
from homei.serving.predictor import Predictor
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Warehouse

ROOT = Path(__file__).resolve().parents[2]

# BentoML has configured logging by now, in each of its processes.
logs.configure()

contract = read(ROOT)
auth = auth_from_environment(contract.limits.access, contract.warehouse)
app = create_app(contract, auth)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Calls the app for all paths. BentoML would keep unknown paths from an app that is mounted itself."""
    await app(scope, receive, send)


class AppPathsMiddleware:
    """Has the app answer two paths of BentoML too.

    These are /schema.json, which describes APIs of BentoML's own kind, and /readyz, which has no content in BentoML.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.bentoml_app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope.get("path") in ("/schema.json", "/readyz") else self.bentoml_app)(scope, receive, send)


@bentoml.service(
    name=contract.name,
    workers=1,
    # BentoML would count and log every path that anyone requests; MetricsMiddleware does so by route.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(answer)
class ValuationService:
    """Values properties from earlier sales."""

    def __init__(self) -> None:
        state = app.state
        state.predictor = load_models(ROOT, contract)
        state.warehouse = WarehouseClient(Warehouse(contract.warehouse))
        state.cache = cache_from_environment(contract)
        state.prediction_log = prediction_log_from_environment(contract)
        state.prediction_log.set_models(state.predictor)
        state.prediction_log.start()
        state.feedback_queue = feedback_queue_from_environment(contract)
        if state.feedback_queue:
            state.feedback_queue.start()
        self._reloader = reloader_from_environment(ROOT, contract, self._use, state.prediction_log.metrics.count_reload)
        if self._reloader:
            self._reloader.start()
        if auth:
            auth.start()

    def _use(self, contract: Contract, predictor: Predictor) -> None:
        """Routes new requests to the new model."""
        app.state.prediction_log.set_models(predictor)
        app.state.predictor = predictor
        describe_model(app, contract)

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Called once the last request was answered."""
        if self._reloader:
            self._reloader.stop()
        app.state.prediction_log.stop()
        if app.state.feedback_queue:
            app.state.feedback_queue.stop()
        if auth:
            auth.stop()


# Around BentoML's app, so that its probes have request ids and metrics too.
for middleware in middleware_stack(app, contract.limits, auth):
    ValuationService.add_asgi_middleware(middleware.cls, **middleware.kwargs)
ValuationService.add_asgi_middleware(AppPathsMiddleware)
