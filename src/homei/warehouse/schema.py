"""The schema's revisions: a warehouse of any of them, or an empty one, is brought to the newest in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from homei.warehouse.connection import WarehouseError, reading, shown, writing

MIGRATIONS = Path(__file__).with_name("migrations")


def newest() -> str:
    """The newest revision."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revision(engine: Engine) -> str | None:
    """The revision that a warehouse is of; None for an empty one."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, to: str = "head") -> tuple[str | None, str | None]:
    """Brings a warehouse to a revision, and gives the one it was of and the one it is of now.

    Raises WarehouseError for a warehouse of a revision that this homei doesn't know: a newer one made it.
    """
    before = revision(engine)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if before is not None and before not in known:
        raise WarehouseError(
            f"{shown(engine.url)} is of revision {before}, which this homei doesn't know: a newer one made it"
        )
    with writing(engine) as connection:
        command.upgrade(_config(connection), to)
    return before, revision(engine)


def require_newest(engine: Engine) -> None:
    """Raises WarehouseError, with the remedy, where a warehouse is not of the newest revision."""
    if (found := revision(engine)) != newest():
        if found is None:
            raise WarehouseError(f"{shown(engine.url)} is empty: `homei publish` fills it")
        raise WarehouseError(f"{shown(engine.url)} is of revision {found}: `homei migrate` brings it to {newest()}")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
