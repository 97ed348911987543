"""The warehouse as a service uses it: pooled connections, and a time limit for each statement."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, column, event, select, table

from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import (
    NoTableError,
    SlowError,
    WarehouseError,
    connect,
    database_url,
    public_url,
    reading,
    writing,
)
from homei.warehouse.tables import MIN_REVISION, publication

Result = TypeVar("Result")
Query = Callable[[Connection, RowMapping], Result]  # queries a publication, whose row it receives

MAX_CONNECTIONS = 8
SQLITE_STEPS = 50_000  # of SQLite's virtual machine between two looks at the clock: about a millisecond


class UnavailableError(WarehouseError):
    """There is no warehouse, or none that this version of homei can read. The message is for the operator."""


class NoWarehouseError(UnavailableError):
    """The database is empty or its file is missing: `homei publish` has never run there."""


class Warehouse:
    """The published warehouse for several threads: at most `connections`, and `seconds` for a statement."""

    def __init__(self, publish: PublishConfig, connections: int = MAX_CONNECTIONS, seconds: float = 2.0) -> None:
        self._publish = publish
        self.connections = connections
        self._seconds = seconds
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def read(self, query: Query[Result]) -> Result:
        """The result of `query` in a read-only transaction that sees one publication.

        Raises UnavailableError, and SlowError for a statement over its time limit.
        """
        with self._service_errors(), reading(self._ready_engine()) as connection:
            return query(connection, publication_row(connection))

    def write(self, command: Callable[[Connection], Result]) -> Result:
        """The result of `command` in a transaction, also while a publication runs in PostgreSQL.

        Raises as `read`.
        """
        with self._service_errors(), writing(self._ready_engine(), waits_for_others=False) as connection:
            publication_row(connection)
            return command(connection)

    def append(self, command: Callable[[Connection], None]) -> None:
        """Runs `command` as `write` does, without a publication too; NoWarehouseError without tables."""
        with self._service_errors(), writing(self._ready_engine()) as connection:
            command(connection)

    def ping(self) -> None:
        """Checks that the warehouse can be reached and has its tables; raises as `append` does."""
        with self._service_errors(), reading(self._ready_engine()) as connection:
            connection.execute(select(publication.c.digest))

    def close(self) -> None:
        """Closes all connections; the next call opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    @contextlib.contextmanager
    def _service_errors(self) -> Iterator[None]:
        try:
            yield
        except (SlowError, UnavailableError):
            raise
        except NoTableError as error:
            raise NoWarehouseError(str(error)) from error
        except WarehouseError as error:
            raise UnavailableError(str(error)) from error

    def _ready_engine(self) -> Engine:
        url = database_url(self._publish)
        if url.drivername == "sqlite" and not Path(str(url.database)).is_file():
            self.close()  # SQLite would go on with the file that was removed
            raise NoWarehouseError(f"{public_url(url)} does not exist: run `homei publish`")
        with self._lock:
            if self._engine is None:
                self._engine = self._new_engine()
            return self._engine

    def _new_engine(self) -> Engine:
        pool = {"pool_size": self.connections, "max_overflow": 0, "pool_timeout": self._seconds}
        lock_timeout_seconds = max(2, int(self._seconds))
        if database_url(self._publish).drivername == "sqlite":
            engine = connect(self._publish, lock_timeout_seconds, **pool)
            _limit_sqlite_statements(engine, self._seconds)
            return engine
        milliseconds = int(1000 * self._seconds)
        settings = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "random_page_cost": 1.1,  # the pages that a search reads are mostly in memory
            # Both are for queries of seconds; a search takes longer to compile or to spread than to run.
            "jit": "off",
            "max_parallel_workers_per_gather": 0,
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        # Each search is planned for its own values: a plan for any value would scan too much for most of them.
        arguments = {"options": options, "prepare_threshold": None}
        return connect(self._publish, lock_timeout_seconds, connect_args=arguments, **pool)


_REVISION = select(column("version_num")).select_from(table("alembic_version")).scalar_subquery().label("revision")
_PUBLICATION = select(publication, _REVISION)


def publication_row(connection: Connection) -> RowMapping:
    """The row of `publication`; raises UnavailableError if there is none or the schema is too old."""
    row = connection.execute(_PUBLICATION).mappings().one_or_none()
    url = public_url(connection.engine.url)
    if row is None:
        raise UnavailableError(f"{url} has no publication: run `homei publish`")
    if row["revision"] < MIN_REVISION:
        raise UnavailableError(
            f"{url} has schema revision {row['revision']}, older than {MIN_REVISION}: run `homei migrate`"
        )
    return row


def _limit_sqlite_statements(engine: Engine, seconds: float) -> None:
    """Interrupts SQLite's statements `seconds` after their connection was taken from the pool."""

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        deadline = record.info["deadline"] = [0.0]
        connection.set_progress_handler(lambda: time.monotonic() > deadline[0], SQLITE_STEPS)

    @event.listens_for(engine, "checkout")
    def _set_deadline(_: Any, record: Any, __: Any) -> None:
        record.info["deadline"][0] = time.monotonic() + seconds
