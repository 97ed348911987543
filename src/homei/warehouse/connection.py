"""Database connections of the warehouse: PostgreSQL by a URL, or a SQLite file."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy import exc as errors
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from homei.storage.database_errors import driver_message, install_command
from homei.warehouse.config import PublishConfig

POSTGRESQL = "postgresql+psycopg"
DRIVERS = dict.fromkeys(("postgres", "postgresql", POSTGRESQL), POSTGRESQL) | {"sqlite": "sqlite"}
LOCK_TIMEOUT_SECONDS = 60
# SQLSTATE of a statement that ran into its timeout or a lock's, and of one that names a missing table.
TIMED_OUT, UNDEFINED_TABLE = ("57014", "55P03"), "42P01"
SQLITE_TIMED_OUT = ("SQLITE_INTERRUPT", "SQLITE_BUSY")
INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
ADVISORY_LOCK = 7_246_301  # any number: publications and migrations of one database take turns at this lock


class WarehouseError(RuntimeError):
    """A warehouse that cannot be reached or used. The message names it without user and password."""


class NoTableError(WarehouseError):
    """The database has no warehouse tables, or those of an earlier revision."""


class SlowError(WarehouseError):
    """A statement exceeded its time limit, or waited too long for a lock or a connection."""


def database_url(publish: PublishConfig) -> URL:
    """The URL of the warehouse; for an invalid one, WarehouseError names the environment variable."""
    url = os.environ.get(publish.address)
    return _parse_url(publish.address, url) if url else URL.create("sqlite", database=publish.file)


@functools.lru_cache(maxsize=16)
def _parse_url(variable: str, text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in DRIVERS:
        # The value is not repeated: it may hold a password.
        raise WarehouseError(
            f"{variable} is not the URL of a warehouse: "
            f"set it to postgresql://user:password@host:5432/name or sqlite:///data/warehouse.db"
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise WarehouseError(f"{variable} names no file: a warehouse in memory would not outlive the command")
    return url.set(drivername=DRIVERS[url.drivername])


def connect(publish: PublishConfig, lock_timeout_seconds: int = LOCK_TIMEOUT_SECONDS, **options: Any) -> Engine:
    """An engine for the warehouse; SQLite is in WAL mode, in which readers do not wait for a writer.

    `lock_timeout_seconds` is how long a writer waits for another one in SQLite. `options` go to create_engine.
    """
    url = database_url(publish)
    if url.drivername == "sqlite":
        return _connect_sqlite(url, lock_timeout_seconds, options)
    arguments = {"connect_timeout": min(lock_timeout_seconds, 10)} | options.pop("connect_args", {})
    try:
        return create_engine(url, connect_args=arguments, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise WarehouseError(f"{publish.address} names PostgreSQL: {install_command(error)}") from error


@contextlib.contextmanager
def connected(publish: PublishConfig) -> Iterator[Engine]:
    """An engine as `connect` makes it, whose connections are closed after the block."""
    engine = connect(publish)
    try:
        yield engine
    finally:
        engine.dispose()


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT into a table, in the dialect of the database, which offers ON CONFLICT."""
    return INSERTS[connection.dialect.name](table)


def public_url(url: URL) -> str:
    """A URL without user, password and options, which may be secret."""
    if url.drivername == "sqlite":
        return f"sqlite:///{url.database}"
    return f"postgresql://{url.host or ''}:{url.port or 5432}/{url.database or ''}"


@contextlib.contextmanager
def writing(engine: Engine, waits_for_others: bool = True) -> Iterator[Connection]:
    """A transaction that writes, one at a time in a database; an error in the block rolls it back.

    In PostgreSQL, one that need not wait for other writers goes on beside a publication.
    """
    options = {"homei_writes": True} if engine.dialect.name == "sqlite" else {"isolation_level": "READ COMMITTED"}
    with _plain_errors(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        if waits_for_others and connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read-only transaction in which all queries see the same publication."""
    is_sqlite = engine.dialect.name == "sqlite"  # whose transactions see a snapshot anyway
    repeatable = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    options = {"homei_reads": True} if is_sqlite else repeatable
    with _plain_errors(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def _plain_errors(engine: Engine) -> Iterator[None]:
    """Turns SQLAlchemy's errors into WarehouseErrors that hold no secret of the URL."""
    try:
        yield
    except SQLAlchemyError as error:
        url, message = engine.url, driver_message(error)
        for secret in (url.password, *(value for value in url.query.values() if isinstance(value, str))):
            message = message.replace(str(secret), "***") if secret else message
        raise _error_class(error)(f"{public_url(url)}: {message}") from None


def _error_class(error: SQLAlchemyError) -> type[WarehouseError]:
    if isinstance(error, errors.TimeoutError):
        return SlowError
    driver_error = getattr(error, "orig", None)
    sqlstate = getattr(driver_error, "sqlstate", None)
    if sqlstate in TIMED_OUT or getattr(driver_error, "sqlite_errorname", None) in SQLITE_TIMED_OUT:
        return SlowError
    if sqlstate == UNDEFINED_TABLE or str(driver_error).startswith("no such table"):
        return NoTableError
    return WarehouseError


def _connect_sqlite(url: URL, lock_timeout_seconds: int, options: dict[str, Any]) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": lock_timeout_seconds}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        # Python's driver would begin transactions by itself, and not before CREATE TABLE.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA cache_size = -65536")  # KiB

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(f"PRAGMA query_only = {bool(options.get('homei_reads'))}")
        # A transaction that begins as a reader could not write after another one has written.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("homei_writes") else "BEGIN")

    return engine
