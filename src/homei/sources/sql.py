"""Feeds out of databases: tables or queries behind any address that SQLAlchemy knows, read in chunks, never written."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pydantic import model_validator

from homei.databases import remedy, words
from homei.section import Count
from homei.source import LivingFeed, Span
from homei.sources.environment import expanded
from homei.sources.rows import SourceError, texts

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Select


class Sql(LivingFeed):
    """A feed that is a table or a query of a database."""

    kind: Literal["sql"]
    url: str  # postgresql+psycopg://reader:$CRM_PASSWORD@db.example.com/crm
    table: str | None = None  # with its schema, if it has one: public.deeds
    query: str | None = None
    chunk: Count = 2_000  # rows held at a time

    @model_validator(mode="after")
    def _reads_one_thing(self) -> Sql:
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either a table or a query")
        return self

    def came_from(self) -> str:
        return f"{self.table or 'a query'} of {self.url}"

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[pa.Table]:
        """The rows as Arrow tables of text columns, those of the span only where the feed says what `changed`.

        Raises SourceError where the database can't be reached, or goes away before all rows are read.
        """
        from sqlalchemy.exc import SQLAlchemyError

        engine = self._engine()
        try:
            with engine.connect() as connection:
                _only_read(connection)
                streamed = {"stream_results": True, "max_row_buffer": self.chunk}
                result = connection.execute(self._select(span), execution_options=streamed)
                names = list(result.keys())
                partitions = result.partitions(self.chunk)
                while (table := _next_table(partitions, names)) is not None:
                    yield table
        except SQLAlchemyError as error:
            raise SourceError(f"feed {self.name}: {engine.url!r} can't be read: {words(error)}") from error
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError

        try:
            engine = create_engine(expanded(self.url, f"feed {self.name}: url"))
            file = engine.url.database if engine.dialect.name == "sqlite" else None
            if file and not Path(file).exists():
                # SQLite would make a new, empty database of it.
                raise SourceError(f"feed {self.name}: {file}: there is no such database")
            return engine
        except ArgumentError as error:
            raise SourceError(f"feed {self.name}: url = {self.url!r} is no address of a database") from error
        except ModuleNotFoundError as error:
            raise SourceError(f"feed {self.name}: {self.url!r} needs a driver: {remedy(error)}") from error

    def _select(self, span: Span) -> Select[Any]:
        from sqlalchemy import column, select, table
        from sqlalchemy import text as sql

        if self.table is not None:
            schema, _, name = self.table.rpartition(".")
            origin = table(name, schema=schema or None)
        else:
            origin = sql(f"({str(self.query).strip().rstrip(';')}) AS feed")
        rows = select(sql("*")).select_from(origin)
        if self.changed is None:
            return rows
        changed = column(self.changed)
        rows = rows.where(changed < _day(span.until + datetime.timedelta(days=1)))
        return rows if span.since is None else rows.where(changed >= _day(span.since))


def _only_read(connection: Connection) -> None:
    """Nothing that is sent over this connection can change the database."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _day(moment: datetime.datetime) -> ColumnElement[str]:
    """A day as a literal that dates, timestamps and ISO texts (with a T or a blank) all compare with rightly.

    A bound parameter would be sent as text, which PostgreSQL doesn't compare with a timestamp.
    """
    from sqlalchemy import literal_column

    return literal_column(f"'{moment:%Y-%m-%d}'")


def _next_table(partitions: Iterator[Sequence[Sequence[Any]]], names: list[str]) -> pa.Table | None:
    """The next rows as a table; None after the last ones."""
    # Rows hold no cycles: looking for some in each few hundred new ones takes a sixth of the time and finds none.
    collects = gc.isenabled()
    gc.disable()
    try:
        rows = next(partitions, None)
        return rows and pa.table([_cells(cells) for cells in zip(*rows, strict=True)], names=names)
    finally:
        if collects:
            gc.enable()


def _cells(cells: Sequence[Any]) -> pa.Array:
    """A column's values as text; Arrow does it for whole columns, where all values are of one type that it knows."""
    try:
        # To Arrow's converter for pandas, a NaN is a null.
        array = pa.array(cells, pa.string() if isinstance(cells[0], str) else None, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return texts(cells)
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type) or pa.types.is_timestamp(array.type):
        return texts(cells)
    return array.cast(pa.string())
