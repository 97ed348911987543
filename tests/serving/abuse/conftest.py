"""The full service with tokens, a published warehouse and a prediction log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import warehouses
from authenticated_service import UNSET_VARIABLE, AuthenticatedService, run_full_service

from homei.warehouse.config import PublishConfig


@pytest.fixture(scope="module")
def service(contract, predictor, tmp_path_factory) -> Iterator[AuthenticatedService]:
    """A full service with SQLite."""
    folder = tmp_path_factory.mktemp("service")
    published = PublishConfig(address=UNSET_VARIABLE, file=str(folder / "warehouse.db"))
    warehouses.publish(published)
    with run_full_service(contract, predictor, folder, published) as place:
        yield place


@pytest.fixture(scope="module")
def service_on_each_database(contract, predictor, warehouse, tmp_path_factory) -> Iterator[AuthenticatedService]:
    """A full service with SQLite, and one with PostgreSQL."""
    with run_full_service(contract, predictor, tmp_path_factory.mktemp("service"), warehouse) as place:
        yield place
