"""When a service that asks for tokens may be sent requests."""

import sqlite3
from contextlib import closing


def test_it_is_ready_only_while_the_warehouse_is_there(opened, tmp_path):
    with opened(tmp_path) as place:
        assert place.keeper.is_ready
        file = tmp_path / "warehouse.db"
        place.engine.dispose()
        with closing(sqlite3.connect(file)) as other:
            other.execute("ALTER TABLE clients RENAME TO gone")
        place.until(lambda: not place.keeper.is_ready)
        assert place.keeper.is_able  # who was known is still let in
        with closing(sqlite3.connect(file)) as other:
            other.execute("ALTER TABLE gone RENAME TO clients")
        place.until(lambda: place.keeper.is_ready)
