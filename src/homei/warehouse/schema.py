"""Schema migrations: from empty, or from any known revision, to the newest one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from homei.warehouse.connection import WarehouseError, public_url, reading, writing
from homei.warehouse.partitions import set_partitions
from homei.warehouse.tables import MIN_REVISION, PARTITIONED

MIGRATIONS = Path(__file__).with_name("migrations")


def newest() -> str:
    """The newest revision of this version of homei."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revision(engine: Engine) -> str | None:
    """The revision of a warehouse; None for an empty one."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, to: str = "head", partitions: int = 1) -> tuple[str | None, str | None]:
    """Migrates a warehouse to a revision; returns its revisions before and after.

    In PostgreSQL, the large tables of the newest revision then have so many partitions.

    Raises WarehouseError for a revision that this version of homei does not have.
    """
    before = revision(engine)
    revisions = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if before is not None and before not in revisions:
        raise WarehouseError(
            f"{public_url(engine.url)} has schema revision {before}, which this version of homei does not know: "
            "install the version that made it, or publish into an empty database"
        )
    with writing(engine) as connection:
        command.upgrade(_config(connection, partitions), to)
        if to == "head" and connection.dialect.name == "postgresql":
            for table in PARTITIONED:
                set_partitions(connection, table.name, partitions)
    return before, revision(engine)


def require_supported(engine: Engine) -> None:
    """Raises WarehouseError, with the command to run, unless a warehouse has MIN_REVISION or a newer one."""
    current, url = revision(engine), public_url(engine.url)
    if current is None:
        raise WarehouseError(f"{url} is empty: run `homei publish`, or `homei migrate` for the tables alone")
    if current < MIN_REVISION:
        raise WarehouseError(f"{url} has schema revision {current}, older than {MIN_REVISION}: run `homei migrate`")


def _config(connection: Connection | None = None, partitions: int = 1) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"connection": connection, "partitions": partitions}
    return config
