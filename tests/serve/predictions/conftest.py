"""A service whose answers are kept, over the warehouse of a test."""

import contextlib
import time

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import literal_column, select

from homei.config import Publish
from homei.serve.app import create_app
from homei.serve.limits import BodyLimit
from homei.serve.predictions.log import PredictionLog
from homei.serve.predictions.metrics import Metrics
from homei.serve.refusal import failure
from homei.serve.request_ids import RequestIds
from homei.warehouse.access import Warehouse
from homei.warehouse.connection import connect, reading
from homei.warehouse.schema import migrate
from homei.warehouse.tables import predictions

ADDRESS = "HOMEI_TEST_WAREHOUSE"


class Place:
    """A log with its folder, its warehouse and its figures."""

    def __init__(self, folder):
        self.folder = folder
        self.publish = Publish(address=ADDRESS, file=str(folder / "warehouse.db"))
        self.registry = CollectorRegistry()

    def migrate(self):
        engine = connect(self.publish)
        migrate(engine)
        engine.dispose()

    def log(self, most=100_000, retry=0.05):
        self.registry = CollectorRegistry()
        metrics = Metrics("latest", "m", "d", self.registry)
        warehouse = Warehouse(self.publish, connections=1, seconds=1)
        return PredictionLog("latest", metrics, self.folder / "waiting", warehouse, 0.02, retry, most)

    @contextlib.contextmanager
    def running(self, **how):
        log = self.log(**how)
        log.start()
        try:
            yield log
        finally:
            log.stop()

    def kept(self):
        """All lines, as they came."""
        engine = connect(self.publish)
        with reading(engine) as connection:
            order = "rowid" if engine.dialect.name == "sqlite" else "ctid"
            found = connection.execute(select(predictions).order_by(literal_column(order))).mappings().all()
        engine.dispose()
        return found

    def counted(self, name, **labels):
        return self.registry.get_sample_value(name, labels) or 0

    def lines(self, fate):
        return self.counted("homei_prediction_lines_total", fate=fate)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def app_of(contract, predictor):
    """The app with a log, and all that is around it in a Bento."""

    def made(log):
        app = create_app(contract)
        app.state.predictor = predictor
        app.state.log = log
        return RequestIds(BodyLimit(app, contract.limits.max_body_bytes, seconds=2), failure)

    return made


@pytest.fixture
def until():
    def wait(is_so, seconds=60):
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.02)

    return wait
