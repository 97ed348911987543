"""The app with the middleware that it has in a Bento, on a port of loopback."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from project_copy import free_port
from prometheus_client import CollectorRegistry

from homei.serving.app import create_app, middleware_stack
from homei.serving.cache.service import Cache, from_environment
from homei.serving.cache.store import CacheMetrics
from homei.serving.middleware.metrics import RequestMetrics
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.config import PublishConfig
from homei.warehouse.sessions import Warehouse


def cache_from_environment(contract, registry=None, timeout_seconds=5.0, **timing) -> Cache:
    """The cache that the environment names, with a long timeout and its own metrics."""
    return from_environment(
        contract, CacheMetrics(registry or CollectorRegistry()), timeout_seconds=timeout_seconds, **timing
    )


def complete_app(
    contract, predictor, settings: PublishConfig | None = None, cache: Cache | None = None, log=None, **limits
):
    """The app with the middleware that it has in a Bento."""
    app = create_app(contract)
    app.state.predictor, app.state.cache, app.state.prediction_log = predictor, cache, log
    app.state.warehouse = WarehouseClient(Warehouse(settings or contract.warehouse))
    return with_middleware(app, contract.limits.model_copy(update=limits))


def with_middleware(app, limits, auth=None):
    """An app with its middleware, and metrics of its own."""
    for layer in reversed(middleware_stack(app, limits, auth, RequestMetrics(CollectorRegistry()))):
        app.add_middleware(layer.cls, **layer.kwargs)
    return app


@contextlib.contextmanager
def live_server(app, **options) -> Iterator[str]:
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off", **options))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()
