"""Loading: makes a table hold exactly the given rows, and writes only rows that differ."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    true,
)
from tqdm import tqdm

from homei.warehouse.connection import insert_into

BATCH = 20_000  # rows that are sent at a time
# Share of a SQLite table's rows beyond which rebuilding its indexes is cheaper. PostgreSQL's are not rebuilt, because
# readers would wait for a table without indexes.
MAX_INDEXED_CHANGES = 0.1


def merge(connection: Connection, table: Table, rows: pa.Table) -> int:
    """Makes `table` hold exactly `rows`, in one transaction; returns the number of changed rows.

    Rows are first sent to a temporary table and compared there, so that equal rows are not written again.
    """
    n_rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
    if not n_rows:
        with _indexes_rebuilt(connection, table):
            send(connection, table, rows)
        return rows.num_rows
    incoming = _stage(connection, table, rows)
    n_removed = connection.execute(delete(table).where(~exists().where(_same_key(table, incoming)))).rowcount
    n_changed = rows.num_rows - connection.execute(_delete_equal(table, incoming)).rowcount
    is_rebuild_cheaper = connection.dialect.name == "sqlite" and n_changed > MAX_INDEXED_CHANGES * n_rows
    with _indexes_rebuilt(connection, table) if is_rebuild_cheaper else contextlib.nullcontext():
        _upsert(connection, table, incoming)
    incoming.drop(connection)
    return n_removed + n_changed


def send(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Appends rows, whose columns are those of the table: by COPY in PostgreSQL, by executemany in SQLite."""
    with tqdm(total=rows.num_rows, desc=table.name, unit=" rows", unit_scale=True, disable=None) as bar:
        for batch in rows.to_batches(BATCH):
            if connection.dialect.name == "postgresql":
                _copy(connection, table, batch)
            else:
                _insert(connection, table, batch)
            bar.update(batch.num_rows)


@contextlib.contextmanager
def _indexes_rebuilt(connection: Connection, table: Table) -> Iterator[None]:
    """Drops the table's indexes before the block and creates them after it: sorting once takes less time."""
    # A GIN index exists in PostgreSQL only.
    is_postgresql = connection.dialect.name == "postgresql"
    indexes = [index for index in table.indexes if is_postgresql or not index.dialect_options["postgresql"]["using"]]
    indexes.sort(key=lambda index: str(index.name))
    for index in indexes:
        index.drop(connection)
    yield
    for index in tqdm(indexes, desc=f"{table.name}, indexes", unit="index", disable=None):
        index.create(connection)


def _stage(connection: Connection, table: Table, rows: pa.Table) -> Table:
    """A temporary table with the incoming rows."""
    columns = [Column(column.name, column.type, primary_key=column.primary_key) for column in table.columns]
    incoming = Table(f"incoming_{table.name}", MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=False)
    incoming.create(connection)
    send(connection, incoming, rows)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {incoming.name}")
    return incoming


def _copy(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    text = io.BytesIO()
    pyarrow.csv.write_csv(batch, text, pyarrow.csv.WriteOptions(include_header=False))
    names = ", ".join(batch.schema.names)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT csv)") as copy,
    ):
        copy.write(text.getbuffer())


def _insert(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    names = batch.schema.names
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"
    # SQLite stores dates as texts.
    columns = (column.cast(pa.string()) if pa.types.is_date(column.type) else column for column in batch.columns)
    connection.exec_driver_sql(statement, list(zip(*(column.to_pylist() for column in columns), strict=True)))


def _same_key(table: Table, incoming: Table) -> ColumnElement[bool]:
    return and_(*(table.c[column.name] == incoming.c[column.name] for column in table.primary_key))


def _delete_equal(table: Table, incoming: Table) -> Delete:
    """Removes incoming rows that the table already has."""
    others = [column.name for column in table.columns if not column.primary_key]
    equal = (table.c[name].is_not_distinct_from(incoming.c[name]) for name in others)
    return delete(incoming).where(exists().where(_same_key(table, incoming), *equal))


def _upsert(connection: Connection, table: Table, incoming: Table) -> None:
    # Without a WHERE, SQLite would read ON CONFLICT as the condition of a join.
    rows = select(incoming).where(true())
    statement = insert_into(connection, table).from_select([column.name for column in table.columns], rows)
    values = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=values))
