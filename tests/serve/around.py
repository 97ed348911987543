"""The app with all that is around it in a Bento, on a port of loopback."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from newcomer import free_port
from prometheus_client import CollectorRegistry

from homei.config import Publish
from homei.serve.access.routes import Routes
from homei.serve.app import create_app
from homei.serve.cache.keeping import Cache, from_environment
from homei.serve.cache.metrics import Metrics
from homei.serve.desk import Desk
from homei.serve.direct import Direct
from homei.serve.layers import layered
from homei.serve.watch import Meter
from homei.warehouse.access import Warehouse


def kept(contract, registry=None, patience=5.0, **how) -> Cache:
    """The cache that the environment asks for, patient with a busy machine, its figures apart from those of others."""
    return from_environment(contract, Metrics(registry or CollectorRegistry()), patience=patience, **how)


def whole(contract, predictor, settings: Publish | None = None, cache: Cache | None = None, log=None, **limits):
    """The app with all that is around it in a Bento."""
    app = create_app(contract)
    app.state.predictor, app.state.cache, app.state.log = predictor, cache, log
    app.state.warehouse = Desk(Warehouse(settings or contract.warehouse))
    return surrounded(app, contract.limits.model_copy(update=limits))


def surrounded(app, limits, keeper=None):
    """An app in its layers, with figures of its own."""
    meter = Meter(CollectorRegistry())
    return layered(app, Direct(app), Routes(app), limits, keeper, lambda: meter)


@contextlib.contextmanager
def served(app) -> Iterator[str]:
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()
