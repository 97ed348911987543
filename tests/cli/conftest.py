"""An empty project folder and its warehouse in SQLite."""

import pytest

from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect


@pytest.fixture
def settings(tmp_path, monkeypatch) -> PublishConfig:
    """The section `publish` of a project without a warehouse; its folder is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOMEI_WAREHOUSE", raising=False)
    return PublishConfig(address="HOMEI_WAREHOUSE", file="data/warehouse/homei.db")


@pytest.fixture
def engine(settings):
    opened = connect(settings)
    yield opened
    opened.dispose()
