"""The whole service as an attacker finds it: tokens asked for, homes published, answers kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

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


@contextlib.contextmanager
def whole_town(contract, predictor, folder: Path, published: Publish) -> Iterator[Place]:
    """A service over a published warehouse, and `boss`, who may do all."""
    metrics = Metrics("latest", "m", "d", CollectorRegistry())
    log = PredictionLog("latest", metrics, folder / "waiting", Warehouse(published, connections=1), 0.02, retry=0.2)
    log.start()
    try:
        rules = {"requests_per_second": UNHINDERED, "failures": UNHINDERED, "token_seconds": 3600}
        with opened_in(contract, predictor, folder, published, log, **rules) as place:
            place.add("boss", *SCOPES)
            yield place
    finally:
        log.stop()


@pytest.fixture(scope="session")
def town(contract, predictor, tmp_path_factory) -> Iterator[Place]:
    """A whole town in SQLite."""
    folder = tmp_path_factory.mktemp("town")
    published = Publish(address=NEVER_SET, file=str(folder / "warehouse.db"))
    warehouses.publish(published)
    with whole_town(contract, predictor, folder, published) as place:
        yield place


@pytest.fixture(scope="session")
def each_town(contract, predictor, warehouse, tmp_path_factory) -> Iterator[Place]:
    """A whole town in SQLite, and in PostgreSQL."""
    with whole_town(contract, predictor, tmp_path_factory.mktemp("town"), warehouse) as place:
        yield place
