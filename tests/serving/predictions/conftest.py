"""A prediction log with a warehouse and metrics of its own."""

import contextlib
import time
from pathlib import Path

import pytest
import warehouses
from prometheus_client import CollectorRegistry
from sqlalchemy import literal_column, select

from homei.serving.app import create_app
from homei.serving.middleware.limits import BodyLimit, BodyLimitMiddleware
from homei.serving.middleware.request_id import RequestIdMiddleware
from homei.serving.predictions.log import PredictionLog
from homei.serving.predictions.metrics import PredictionMetrics
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, database_url, reading
from homei.warehouse.schema import migrate
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import predictions

ADDRESS = "HOMEI_TEST_WAREHOUSE"


class LogSetup:
    """Makes prediction logs over one folder and one warehouse, and reads what they stored and counted."""

    def __init__(self, folder):
        self.folder = folder
        self.publish = PublishConfig(address=ADDRESS, file=str(folder / "warehouse.db"))
        self.registry = CollectorRegistry()

    def create_warehouse(self):
        if database_url(self.publish).drivername == "sqlite":
            return warehouses.migrated_file(Path(self.publish.file))
        engine = connect(self.publish)
        migrate(engine)
        return engine.dispose()

    def new_log(self, max_queued=100_000, retry_seconds=0.05):
        self.registry = CollectorRegistry()
        metrics = PredictionMetrics("latest", "m", "d", self.registry)
        warehouse = Warehouse(self.publish, connections=1, seconds=1)
        return PredictionLog("latest", metrics, self.folder / "waiting", warehouse, 0.02, retry_seconds, max_queued)

    @contextlib.contextmanager
    def running(self, **options):
        log = self.new_log(**options)
        log.start()
        try:
            yield log
        finally:
            log.stop()

    def stored(self):
        """All rows of the table `predictions`, in the order of their insertion."""
        engine = connect(self.publish)
        with reading(engine) as connection:
            order = "rowid" if engine.dialect.name == "sqlite" else "ctid"
            rows = connection.execute(select(predictions).order_by(literal_column(order))).mappings().all()
        engine.dispose()
        return rows

    def count(self, name, **labels):
        return self.registry.get_sample_value(name, labels) or 0

    def n_lines(self, fate):
        return self.count("homei_prediction_lines_total", fate=fate)


@pytest.fixture
def setup(tmp_path):
    return LogSetup(tmp_path)


@pytest.fixture
def app_with(contract, predictor):
    """The app with a prediction log, in the middleware that its requests need."""

    def create(log):
        app = create_app(contract)
        app.state.predictor = predictor
        app.state.prediction_log = log
        return RequestIdMiddleware(BodyLimitMiddleware(app, BodyLimit(contract.limits.max_body_bytes, 2), 10**7))

    return create


@pytest.fixture
def wait_until():
    def wait(condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.02)

    return wait
