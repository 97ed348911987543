"""The BentoML service; it runs inside a Bento, beside the model, the market's history and service.json."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import bentoml
from fastapi import FastAPI

from homei.serve import logs
from homei.serve.access.doorkeeper import from_environment
from homei.serve.access.routes import Routes
from homei.serve.app import add_docs, create_app
from homei.serve.cache.keeping import from_environment as answer_cache
from homei.serve.contract import Contract, read
from homei.serve.desk import Desk
from homei.serve.experiment import load
from homei.serve.follow import Current
from homei.serve.follow import from_environment as follower
from homei.serve.layers import layered
from homei.serve.predictions.log import from_environment as prediction_log
from homei.serve.predictor import Predictor
from homei.serve.request_ids import App
from homei.serve.wire import guard
from homei.warehouse.access import Warehouse

ROOT = Path(__file__).resolve().parents[2]
SWAGGER = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"

# BentoML has set up its own logging by now, in each of its processes.
logs.configure()

# Where BentoML would have several processes gather their figures: two services that share its home share that folder,
# and the one that starts last empties it. This one has one process, which can tell its own.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

contract = read(ROOT)
keeper = from_environment(contract.limits.access, contract.warehouse)


def assembled(contract: Contract) -> FastAPI:
    """The app of a contract, with its documentation; its state is for the service to set."""
    app = create_app(contract, keeper)
    add_docs(app, SWAGGER)
    return app


app = assembled(contract)
current = Current(app)


def surrounded(bentoml_app: App) -> App:
    """Our app in its layers, before BentoML's."""
    return layered(bentoml_app, current, Routes(app), contract.limits, keeper)


# BentoML makes uvicorn's settings itself, once this module is there. What it has around an app costs a quarter of a
# valuation: a task and a timer for each request, of which the timer lives on until its time is up.
guard(contract.limits.timeout / 2, surrounded)


@bentoml.service(
    name=contract.name,
    workers=1,
    # BentoML's own metrics have a line for every path that anyone asks for, and its log one for every request. Ours are
    # in `layers`; here they would tell of the probes alone.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
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
        # What is loaded by now stays: looking through all of it for garbage would hold up an answer for 0.1 s.
        gc.collect()
        gc.freeze()

    async def __is_ready__(self) -> bool:
        """What /readyz tells; /livez stays well, since a service without its warehouse is not mended by a restart.

        A service without a model did not start. One that never had a warehouse values homes, which is all it is for.
        """
        return (keeper is None or keeper.is_ready) and not await app.state.warehouse.is_gone()

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
