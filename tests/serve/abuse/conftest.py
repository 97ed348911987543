"""The whole service as an attacker finds it: tokens asked for, homes published, answers kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import warehouses
from guarded import NEVER_SET, Place, whole_town

from homei.config import Publish


@pytest.fixture(scope="module")
def town(contract, predictor, tmp_path_factory) -> Iterator[Place]:
    """A whole town in SQLite."""
    folder = tmp_path_factory.mktemp("town")
    published = Publish(address=NEVER_SET, file=str(folder / "warehouse.db"))
    warehouses.publish(published)
    with whole_town(contract, predictor, folder, published) as place:
        yield place


@pytest.fixture(scope="module")
def each_town(contract, predictor, warehouse, tmp_path_factory) -> Iterator[Place]:
    """A whole town in SQLite, and in PostgreSQL."""
    with whole_town(contract, predictor, tmp_path_factory.mktemp("town"), warehouse) as place:
        yield place
