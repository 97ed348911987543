"""The whole service as an attacker finds it: tokens asked for, homes published, answers kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import warehouses
from guarded import NEVER_SET, Place, opened_in
from prometheus_client import CollectorRegistry

from homei.config import Publish
from homei.serve.access.scopes import SCOPES
from homei.serve.predictions.log import PredictionLog
from homei.serve.predictions.metrics import Metrics
from homei.warehouse.access import Warehouse

UNHINDERED = 10**9  # what is under test is behind rates and lock-outs, which have tests of their own


@pytest.fixture(scope="session")
def town(contract, predictor, tmp_path_factory) -> Iterator[Place]:
    """A service with a published warehouse in SQLite, and `boss`, who may do all."""
    folder = tmp_path_factory.mktemp("abuse")
    published = Publish(address=NEVER_SET, file=str(folder / "warehouse.db"))
    warehouses.publish(published)
    metrics = Metrics("latest", "m", "d", CollectorRegistry())
    log = PredictionLog("latest", metrics, folder / "waiting", Warehouse(published, connections=1), 0.02)
    log.start()
    try:
        rules = {"requests_per_second": UNHINDERED, "failures": UNHINDERED}
        with opened_in(contract, predictor, folder, log, token_seconds=3600, **rules) as place:
            place.add("boss", *SCOPES)
            yield place
    finally:
        log.stop()
