"""Readiness of the context that authorises requests."""

import sqlite3
from contextlib import closing


def test_it_is_ready_only_while_the_warehouse_is_there(running_service, tmp_path):
    with running_service(tmp_path) as service:
        assert service.auth.is_ready
        file = tmp_path / "warehouse.db"
        service.engine.dispose()
        with closing(sqlite3.connect(file)) as other:
            other.execute("ALTER TABLE clients RENAME TO gone")
        service.wait_until(lambda: not service.auth.is_ready)
        assert service.auth.can_authorise  # cached clients stay valid
        with closing(sqlite3.connect(file)) as other:
            other.execute("ALTER TABLE gone RENAME TO clients")
        service.wait_until(lambda: service.auth.is_ready)
