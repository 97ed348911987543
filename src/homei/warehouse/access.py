"""The warehouse as a service has it: few connections, no statement without end, and back by itself after a fall."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, column, event, literal_column, select, table
from sqlalchemy.exc import SQLAlchemyError

from homei.config import Publish
from homei.warehouse.connection import (
    LostError,
    NoTableError,
    SlowError,
    WarehouseError,
    address,
    asking,
    connect,
    is_near,
    reading,
    shown,
    writing,
)
from homei.warehouse.kinds import PUBLISHED, forget_kinds
from homei.warehouse.tables import REVISION, publication

Answer = TypeVar("Answer")
Work = Callable[[Connection, RowMapping], Answer]  # asks of a publication, whose row it is given

# Connections: a database on this machine has no cores but those that already work; one far away is waited for.
OF_NEAR, OF_FAR = 4, 8
STEPS = 50_000  # of SQLite's machine, between two looks at the clock: about a millisecond
PREPARED_AFTER, MOST_PREPARED = 2, 500  # uses of a statement, and statements of a connection in PostgreSQL
CACHE, MAPPED = 32 << 10, 1 << 30  # KiB a connection, and bytes of the file that all share


class UnavailableError(WarehouseError):
    """There is no warehouse, or none that this homei can read: the message is for the operator."""


class NoWarehouseError(UnavailableError):
    """There is a place for a warehouse, and nothing in it: nobody ever published there."""


class _PublishedSinceError(Exception):
    """Another publication is there than the one that was asked."""


class Warehouse:
    """The published warehouse, asked by several threads at once: `connections` at most, `seconds` a statement.

    It `is_near` where it works on this machine's cores.
    """

    def __init__(self, publish: Publish, connections: int | None = None, seconds: float = 2.0) -> None:
        self._publish = publish
        self.is_near = _is_near(publish)
        self.connections = (OF_NEAR if self.is_near else OF_FAR) if connections is None else connections
        self._seconds = seconds
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._last: RowMapping | None = None  # the publication as it was seen last

    def read(self, work: Work[Answer]) -> Answer:
        """What `work` finds in one publication, whose row it is given; it can't write, and may be called twice.

        Raises UnavailableError, and SlowError for what takes too long.
        """
        (found,) = self.read_all([work])
        if isinstance(found, Exception):
            raise found
        return found

    def read_all(self, works: Sequence[Work[Answer]]) -> list[Answer | Exception]:
        """What each of several works finds in one publication, or what it raises; else as `read`."""

        def whole(engine: Engine) -> list[Answer | Exception]:
            if self._last is not None and engine.dialect.name == "postgresql":
                with contextlib.suppress(_PublishedSinceError):
                    return _at_once(engine, works, self._last)
            with reading(engine) as connection:
                self._last = published(connection)
                return _found(connection, works, self._last)

        return self._twice(whole)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """What `work` gives, done as a whole or not at all; it may be called twice where a connection breaks."""

        def whole(engine: Engine) -> Answer:
            with writing(engine) as connection:
                published(connection)
                return work(connection)

        return self._twice(whole)

    def append(self, work: Callable[[Connection], None]) -> None:
        """As `write`, whether anything is published or not; raises NoWarehouseError where there are no tables."""

        def whole(engine: Engine) -> None:
            with writing(engine) as connection:
                work(connection)

        self._twice(whole)

    def ask(self) -> None:
        """Asks whether it is there, whether anything is published or not; raises as `append` does where it isn't."""

        def whole(engine: Engine) -> None:
            with reading(engine) as connection:
                connection.execute(select(publication.c.digest))

        self._twice(whole)

    def close(self) -> None:
        """Gives all connections back; the next call makes new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _twice(self, whole: Callable[[Engine], Answer]) -> Answer:
        engine = self._ready()
        try:
            try:
                return whole(engine)
            except LostError:
                # The server was restarted: SQLAlchemy has dropped all of the pool's connections, the next one is new.
                return whole(engine)
        except (SlowError, UnavailableError):
            raise
        except NoTableError as error:
            raise NoWarehouseError(str(error)) from error
        except WarehouseError as error:
            raise UnavailableError(str(error)) from error

    def _ready(self) -> Engine:
        url = address(self._publish)
        if url.drivername == "sqlite" and not Path(str(url.database)).is_file():
            self.close()  # else SQLite would go on with the file that was removed
            raise NoWarehouseError(f"{shown(url)} is not there")
        with self._lock:
            if self._engine is None:
                self._engine = self._connect()
            return self._engine

    def _connect(self) -> Engine:
        # A connection that broke is noticed when it is used; asking before each use would double the round trips.
        size = {"pool_size": self.connections, "max_overflow": 0, "pool_timeout": self._seconds}
        is_sqlite = address(self._publish).drivername == "sqlite"
        # Most reads are no transaction (_at_once), and there is nothing to roll back after one.
        alone = {} if is_sqlite else {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
        engine = connect(self._publish, max(2, int(self._seconds)), raw=True, pool_pre_ping=False, **size, **alone)
        limit = _limit_sqlite if is_sqlite else _limit_postgresql
        limit(engine, self._seconds)
        return engine


def _at_once(engine: Engine, works: Sequence[Work[Answer]], last: RowMapping) -> list[Answer | Exception]:
    """What works find without a transaction: all of it is of the publication seen `last` if that is there after it.

    A transaction's beginning and end are two of a search's five round trips. Raises _PublishedSinceError.
    """
    with asking(engine) as connection:
        connection.info[PUBLISHED] = last["digest"]
        found = _found(connection, works, last)
        _require(connection, last)
        return found


def _found(connection: Connection, works: Sequence[Work[Answer]], row: RowMapping) -> list[Answer | Exception]:
    found: list[Answer | Exception] = []
    for work in works:
        try:
            found.append(work(connection, row))
        except SQLAlchemyError:
            raise
        except Exception as error:  # what a work refuses is no matter of the others
            found.append(error)
    return found


def _require(connection: Connection, last: RowMapping) -> None:
    if tuple(published(connection).values()) != tuple(last.values()):
        forget_kinds(connection)  # of which publication they are, nobody knows
        raise _PublishedSinceError


_REVISION = select(column("version_num")).select_from(table("alembic_version")).scalar_subquery().label("revision")
_PUBLISHED = {
    "sqlite": select(publication, _REVISION),
    # A publication that is replaced by another, and that by the first again, is told by who wrote its row.
    "postgresql": select(publication, _REVISION, literal_column("publication.xmin::text").label("written_by")),
}


def published(connection: Connection) -> RowMapping:
    """The row of `publication`; raises UnavailableError where nothing is published, or by another revision."""
    found = connection.execute(_PUBLISHED[connection.dialect.name]).mappings().one_or_none()
    if found is None:
        raise UnavailableError(f"{shown(connection.engine.url)} holds no publication yet")
    if found["revision"] != REVISION:
        at = f"{shown(connection.engine.url)} is of revision {found['revision']}"
        raise UnavailableError(f"{at}, this service needs {REVISION}")
    connection.info[PUBLISHED] = found["digest"]
    return found


def _is_near(publish: Publish) -> bool:
    with contextlib.suppress(WarehouseError):  # which the first read tells
        return is_near(address(publish))
    return True


def _limit_postgresql(engine: Engine, seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.prepare_threshold, connection.prepared_max = PREPARED_AFTER, MOST_PREPARED
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(1000 * seconds)}")
            cursor.execute(f"SET lock_timeout = {int(1000 * seconds)}")
            # What reads without a transaction of its own can't write either.
            cursor.execute("SET default_transaction_read_only = on")
            # A search is made so that one plan is good for all its values: to plan it costs more than to run it.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            # What is searched lies in memory: what an index finds is read for little.
            cursor.execute("SET random_page_cost = 1.1")
            # Both are for questions that take seconds: here they cost more than the whole answer.
            cursor.execute("SET jit = off")
            cursor.execute("SET max_parallel_workers_per_gather = 0")
        connection.commit()


def _limit_sqlite(engine: Engine, seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        connection.execute(f"PRAGMA mmap_size = {MAPPED}")
        end = record.info["end"] = [0.0]
        connection.set_progress_handler(lambda: time.monotonic() > end[0], STEPS)

    @event.listens_for(engine, "checkout")
    def _begin(_: Any, record: Any, __: Any) -> None:
        record.info["end"][0] = time.monotonic() + seconds
