"""The way into the warehouse: SQLite in a file, or PostgreSQL by the address that one environment variable holds."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy import exc as errors
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from homei.config import Publish
from homei.databases import remedy, words

POSTGRESQL = "postgresql+psycopg"
DRIVERS = dict.fromkeys(("postgres", "postgresql", POSTGRESQL), POSTGRESQL) | {"sqlite": "sqlite"}
NEAR = (None, "", "localhost", "127.0.0.1", "::1")  # without a host it is a socket
WAIT = 60  # seconds that a writer waits for another one
CANCELLED = ("57014", "55P03")  # SQLSTATE of a statement that took, or waited, too long
NO_TABLE = "42P01"  # and of one that names a table that isn't there
INTERRUPTED = ("SQLITE_INTERRUPT", "SQLITE_BUSY")
LOCK = 7_246_301  # any number: publications and migrations of one database take turns at it


class WarehouseError(RuntimeError):
    """A warehouse that can't be reached or used: the message tells where it is, and neither user nor password."""


class LostError(WarehouseError):
    """A server that can't be reached, or whose connection broke: the same again may work."""


class NoTableError(WarehouseError):
    """A database that holds no warehouse, or one of before the table came."""


class SlowError(WarehouseError):
    """A statement that took longer than it may, or waited too long for another one."""


def address(publish: Publish) -> URL:
    """Where the warehouse is; raises WarehouseError, naming the environment variable, for what is no such address."""
    given = os.environ.get(publish.address)
    return _parsed(publish.address, given) if given else URL.create("sqlite", database=publish.file)


@functools.lru_cache(maxsize=16)
def _parsed(variable: str, given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in DRIVERS:
        # What was given is not shown: it may hold a password.
        raise WarehouseError(
            f"{variable} holds no address of a warehouse: "
            f"postgresql://user:password@host:5432/name or sqlite:///data/warehouse.db"
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise WarehouseError(f"{variable} names no file: a warehouse in memory would be gone at once")
    return url.set(drivername=DRIVERS[url.drivername])


def connect(publish: Publish, wait: int = WAIT, raw: bool = False, **options: Any) -> Engine:
    """An engine for the warehouse; SQLite's in WAL mode, so that readers never wait for a writer.

    `wait` is how many seconds a writer waits for another one in SQLite; `options` are of SQLAlchemy's create_engine.
    With `raw`, PostgreSQL's statements have its own placeholders, of which psycopg would otherwise look for those of
    Python: in a long statement each time anew, a quarter of what a search costs.
    """
    url = address(publish)
    if url.drivername == "sqlite":
        return _sqlite(url, wait, options)
    own: dict[str, Any] = {"connect_timeout": min(wait, 10)}
    try:
        if raw:
            from psycopg import RawCursor

            own["cursor_factory"] = RawCursor
            options["paramstyle"] = "numeric_dollar"
        return create_engine(url, connect_args=own, **{"pool_pre_ping": True, **options})
    except ModuleNotFoundError as error:
        raise WarehouseError(f"{publish.address} names PostgreSQL: {remedy(error)}") from error


def is_near(url: URL) -> bool:
    """Whether a database is on this machine."""
    return url.drivername == "sqlite" or url.host in NEAR


def shown(url: URL) -> str:
    """An address as it may be told: without user, password and options, which may be secrets."""
    if url.drivername == "sqlite":
        return f"sqlite:///{url.database}"
    return f"postgresql://{url.host or ''}:{url.port or 5432}/{url.database or ''}"


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """The only writing transaction at a time; what it did is there as a whole once the block ends well."""
    sqlite = engine.dialect.name == "sqlite"
    # A service's connections have no transactions of their own accord, and don't write.
    options = {"homei_writes": True} if sqlite else {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}
    with _told(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that can't write, in which all queries see one publication, whatever is published meanwhile."""
    sqlite = engine.dialect.name == "sqlite"  # whose transactions see a snapshot anyway
    options = {"homei_reads": True} if sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with _told(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """A connection of a PostgreSQL engine that is AUTOCOMMIT: each statement sees the newest publication."""
    with _told(engine), engine.connect() as connection:
        yield connection


def limit_waiting(engine: Engine, milliseconds: int) -> None:
    """Has a writer of this engine that finds another one at work give up after that time."""

    @event.listens_for(engine, "connect")
    def _limit(connection: Any, _: Any) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            if engine.dialect.name == "sqlite":
                cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
            else:
                cursor.execute(f"SET lock_timeout = {milliseconds}")
                connection.commit()


@contextlib.contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        url, told = engine.url, words(error)
        for secret in (url.password, *(value for value in url.query.values() if isinstance(value, str))):
            told = told.replace(str(secret), "***") if secret else told
        raise _kind(error)(f"{shown(url)}: {told}") from None


def _kind(error: SQLAlchemyError) -> type[WarehouseError]:
    if not isinstance(error, errors.DBAPIError):
        return SlowError if isinstance(error, errors.TimeoutError) else WarehouseError
    driver = error.orig
    if getattr(driver, "sqlstate", None) in CANCELLED or getattr(driver, "sqlite_errorname", None) in INTERRUPTED:
        return SlowError
    if getattr(driver, "sqlstate", None) == NO_TABLE or str(driver).startswith("no such table"):
        return NoTableError
    # A connection that was refused never was one: psycopg gives it no SQLSTATE.
    refused = type(driver).__module__.startswith("psycopg") and isinstance(error, errors.OperationalError)
    return LostError if error.connection_invalidated or refused else WarehouseError


def _sqlite(url: URL, wait: int, options: dict[str, Any]) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": wait}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection, _) -> None:
        # Python's driver would begin transactions by itself, and not before CREATE TABLE.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA cache_size = -262144")  # KiB

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        chosen = connection.get_execution_options()
        reads = chosen.get("homei_reads", False)
        if connection.info.get("homei_reads") != reads:
            connection.exec_driver_sql(f"PRAGMA query_only = {reads}")
            connection.info["homei_reads"] = reads
        # A writer that begins as a reader fails where another one has written since.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if chosen.get("homei_writes") else "BEGIN")

    return engine
