"""The BentoML service; it runs inside a Bento, beside the model, the market's history and service.json."""

from __future__ import annotations

import logging
from pathlib import Path

import bentoml
from fastapi import FastAPI

from homei.serve.access.doorkeeper import from_environment
from homei.serve.access.gate import Gate
from homei.serve.access.loopback import LoopbackOnly
from homei.serve.access.routes import Routes
from homei.serve.app import BATCH, add_docs, create_app
from homei.serve.cache.keeping import from_environment as answer_cache
from homei.serve.contract import Contract, read
from homei.serve.desk import Desk
from homei.serve.experiment import load
from homei.serve.follow import Current
from homei.serve.follow import from_environment as follower
from homei.serve.limits import BodyLimit
from homei.serve.predictions.log import from_environment as prediction_log
from homei.serve.predictor import Predictor
from homei.serve.refusal import failure
from homei.serve.request_ids import RequestIds
from homei.serve.wire import guard
from homei.warehouse.access import Warehouse

ROOT = Path(__file__).resolve().parents[2]
SWAGGER = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"

# uvicorn would put together an access line for each request, which BentoML's logging then drops.
logging.getLogger("uvicorn.access").propagate = False

contract = read(ROOT)
keeper = from_environment(contract.limits.access, contract.warehouse)


def assembled(contract: Contract) -> FastAPI:
    """The app of a contract, with its documentation; its state is for the service to set."""
    app = create_app(contract, keeper)
    add_docs(app, SWAGGER)
    return app


app = assembled(contract)
current = Current(app)
# A stalled upload gets its 408 before BentoML's timeout makes it a 504.
patience = contract.limits.timeout / 2
guarded = BodyLimit(current, contract.limits.max_body_bytes, patience, {BATCH: contract.limits.max_batch_bytes})
routes = Routes(app)
guard(patience, routes.label)  # BentoML makes uvicorn's settings itself, once this module is there


@bentoml.service(
    name=contract.name,
    workers=1,
    traffic={"timeout": contract.limits.timeout, "max_concurrency": contract.limits.max_concurrency},
    # A log line and a span a request cost more than the valuation itself; the metrics count all the same.
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
# BentoML looks into a FastAPI app's routes to decide whether a path is its business; around BodyLimit it can't, so that
# every path that isn't BentoML's own is answered, and refused, in one way.
@bentoml.asgi_app(guarded, path="/")
class ValuationService:
    """Values properties from what sold before."""

    def __init__(self) -> None:
        app.state.predictor = load(ROOT, contract)
        app.state.warehouse = Desk(Warehouse(contract.warehouse))
        app.state.cache = answer_cache(contract)
        app.state.log = prediction_log(contract)
        app.state.log.answers_by(app.state.predictor)
        app.state.log.start()
        self._follower = follower(ROOT, contract, self._take, app.state.log.reloaded)
        if self._follower:
            self._follower.start()
        if keeper:
            keeper.start()

    def __is_ready__(self) -> bool:
        """What /readyz tells; /livez stays well, since a service without its warehouse is not mended by a restart."""
        return keeper is None or keeper.is_ready

    def _take(self, contract: Contract, predictor: Predictor) -> None:
        """Has a newer model answer what comes from now on."""
        app.state.log.answers_by(predictor)
        current.swap(assembled(contract), predictor, contract.limits.timeout)

    @bentoml.on_shutdown
    def end(self) -> None:
        """Called once the last request was answered."""
        if self._follower:
            self._follower.stop()
        app.state.log.stop()
        if keeper:
            keeper.stop()


# Around all of BentoML's own paths too, and before a body is read. The first one that is added is the outermost:
# whatever guards the app can tell a request's name.
ValuationService.add_asgi_middleware(RequestIds, fallen=failure)
if keeper:
    ValuationService.add_asgi_middleware(Gate, keeper=keeper, routes=routes)
else:
    ValuationService.add_asgi_middleware(LoopbackOnly)
