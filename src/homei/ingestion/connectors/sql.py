"""Feeds from databases: a table or query at an SQLAlchemy address, read in chunks, read-only."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, MutableMapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pydantic import model_validator

from homei.config.model import Count
from homei.config.texts import normal_text
from homei.ingestion.connectors.text_rows import SourceError, expanded, text, texts
from homei.ingestion.feeds import IncrementalFeed, Span
from homei.ingestion.record_versions import change_times, epoch_unit
from homei.storage.database_errors import driver_message, install_command

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select


class Sql(IncrementalFeed):
    """A feed that is a table or a query of a database."""

    kind: Literal["sql"]
    url: str  # postgresql+psycopg://reader:$CRM_PASSWORD@db.example.com/crm
    table: str | None = None  # with its schema, if it has one: public.deeds
    query: str | None = None
    chunk: Count = 2_000  # rows in memory at a time

    @model_validator(mode="after")
    def _has_table_or_query(self) -> Sql:
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either a table or a query")
        return self

    def came_from(self) -> str:
        return f"{self.table or 'a query'} of {self.url}"

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[pa.Table]:
        """The rows as Arrow tables of text columns; only those of the span where the feed declares `changed`.

        Raises SourceError where the database can't be reached, or fails before all rows are read.
        """
        from sqlalchemy.exc import SQLAlchemyError

        engine = self._engine()
        try:
            with engine.connect() as connection:
                _make_read_only(connection)
                options = {"stream_results": True, "max_row_buffer": self.chunk}
                result = connection.execute(self._select(connection, span), execution_options=options)
                names = [*map(normal_text, result.keys())]
                for rows in result.partitions(self.chunk):
                    yield pa.table([_as_text(cells) for cells in zip(*rows, strict=True)], names=names)
        except SQLAlchemyError as error:
            raise SourceError(f"feed {self.name}: {engine.url!r} can't be read: {driver_message(error)}") from error
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError

        try:
            engine = create_engine(expanded(self.url, f"feed {self.name}: url"))
        except ArgumentError as error:
            raise SourceError(f"feed {self.name}: url = {self.url!r} is not a database address") from error
        except ModuleNotFoundError as error:
            raise SourceError(f"feed {self.name}: {self.url!r} needs a driver: {install_command(error)}") from error
        path = engine.url.database if engine.dialect.name == "sqlite" else None
        if path and not Path(path).exists():  # SQLite would create an empty database
            raise SourceError(f"feed {self.name}: {path}: no such database")
        return engine

    def _select(self, connection: Connection, span: Span) -> Select[Any]:
        from sqlalchemy import column, select
        from sqlalchemy import text as sql

        rows = select(sql("*")).select_from(self._origin())
        if self.changed is None or (literal := self._literal_of(connection)) is None:
            return rows
        changed = column(self.changed)
        # A row without a time of change is read each time, as it may have changed.
        rows = rows.where(changed.is_(None) | (changed < literal(span.until + datetime.timedelta(days=1))))
        return rows if span.since is None else rows.where(changed.is_(None) | (changed >= literal(span.since)))

    def _origin(self) -> FromClause:
        from sqlalchemy import table
        from sqlalchemy import text as sql

        if self.table is not None:
            schema, _, name = self.table.rpartition(".")
            return table(name, schema=schema or None)
        return sql(f"({str(self.query).strip().rstrip(';')}) AS feed")

    def _literal_of(self, connection: Connection) -> Callable[[datetime.datetime], ColumnElement[Any]] | None:
        """Writes a moment as the column `changed` holds it.

        None if its values can't be compared with a moment in SQL. SQLite compares values of different types without an
        error: no number is later than a text.
        """
        from sqlalchemy import column, func, select

        changed = column(self.changed)
        ends = connection.execute(select(func.min(changed), func.max(changed)).select_from(self._origin())).one()
        if ends[1] is None or all(isinstance(end, datetime.date) or _is_iso(end) for end in ends):
            return _day_literal
        times = change_times(pa.array([text(end) for end in ends], pa.string()))
        if times.isna().any() and ends[0] != "":
            raise SourceError(
                f"feed {self.name}: changed = {self.changed!r}: {text(ends[times.isna().argmax()])!r} is no time in "
                "ISO 8601 and no number since 1970: name another column, or remove the key to read all rows each time"
            )
        units = {epoch_unit(float(end)) if isinstance(end, int | float | Decimal) else None for end in ends}
        unit = units.pop() if len(units) == 1 else None
        return None if unit is None else lambda moment: _number_literal(moment, unit)


def _make_read_only(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _day_literal(moment: datetime.datetime) -> ColumnElement[str]:
    """A day as an SQL literal, which compares correctly with dates, timestamps and ISO texts.

    A bound parameter would be sent as text, which PostgreSQL does not compare with a timestamp.
    """
    from sqlalchemy import literal_column

    return literal_column(f"'{moment:%Y-%m-%d}'")


def _number_literal(moment: datetime.datetime, unit: float) -> ColumnElement[float]:
    """A day as the number of seconds since 1970, or of parts of a second, `unit` of them."""
    from sqlalchemy import literal_column

    day = datetime.datetime.combine(moment.date(), datetime.time(), datetime.UTC)
    return literal_column(str(int(day.timestamp() * unit)))


def _is_iso(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None


def _as_text(cells: tuple[Any, ...]) -> pa.Array:
    """A column's values as text; Arrow converts columns of one simple type faster than `texts`."""
    try:
        # The pandas converter makes NaN null.
        array = pa.array(cells, pa.string() if isinstance(cells[0], str) else None, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return texts(cells)
    has_own_text = (pa.types.is_nested, pa.types.is_binary, pa.types.is_timestamp, pa.types.is_floating)
    if any(is_type(array.type) for is_type in has_own_text):
        return texts(cells)
    return array.cast(pa.string())
