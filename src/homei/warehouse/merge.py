"""Loading: makes a table hold exactly the given rows, and writes only rows that differ."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)
from tqdm import tqdm

from homei.warehouse.connection import insert_into

BATCH = 20_000  # rows that are sent at a time
# Share of a SQLite table's rows beyond which rebuilding its indexes is cheaper. PostgreSQL's are not rebuilt, because
# readers would wait for a table without indexes.
MAX_INDEXED_CHANGES = 0.1


def merge(
    connection: Connection, table: Table, batches: Iterable[pa.RecordBatch], shards: Collection[int] | None = None
) -> int:
    """Makes `table` hold exactly these rows, in one transaction; returns the number of changed rows.

    With `shards`, the rows are those of the given shards, and rows of other shards stay. Rows are first sent to a
    temporary table and compared there, so that equal rows are not written again.
    """
    if connection.execute(select(~exists(select(table).limit(1)))).scalar_one():
        with _indexes_rebuilt(connection, table):
            return send(connection, table, batches)
    incoming = _stage(connection, table, batches)
    in_shards = [] if shards is None else [table.c.shard.in_(sorted(shards))]
    is_gone = ~exists().where(_same_key(table, incoming))
    n_removed = connection.execute(delete(table).where(*in_shards, is_gone)).rowcount
    with _indexes_rebuilt(connection, table) if _is_rebuild_cheaper(connection, table, incoming) else nullcontext():
        n_changed = _upsert(connection, table, incoming)
    incoming.drop(connection)
    return n_removed + n_changed


def send(connection: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
    """Appends rows, whose columns are those of the table: by COPY in PostgreSQL, by executemany in SQLite."""
    n_rows, write = 0, _copying if connection.dialect.name == "postgresql" else _inserting
    with write(connection, table) as add:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH):
                add(batch.slice(start, BATCH))
            n_rows += batch.num_rows
    return n_rows


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


def _stage(connection: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> Table:
    """A temporary table with the incoming rows."""
    has_key = connection.dialect.name == "sqlite"  # PostgreSQL joins by hashing, which needs no index
    columns = [Column(c.name, c.type, primary_key=has_key and c.primary_key) for c in table.columns]
    incoming = Table(f"incoming_{table.name}", MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=False)
    incoming.create(connection)
    send(connection, incoming, batches)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {incoming.name}")
    return incoming


@contextlib.contextmanager
def _copying(connection: Connection, table: Table) -> Iterator[Callable[[pa.RecordBatch], None]]:
    names = ", ".join(column.name for column in table.columns)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT csv)") as copy,
    ):

        def add(batch: pa.RecordBatch) -> None:
            text = io.BytesIO()
            pyarrow.csv.write_csv(batch, text, pyarrow.csv.WriteOptions(include_header=False))
            copy.write(text.getbuffer())

        yield add


@contextlib.contextmanager
def _inserting(connection: Connection, table: Table) -> Iterator[Callable[[pa.RecordBatch], None]]:
    names = [column.name for column in table.columns]
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"

    def add(batch: pa.RecordBatch) -> None:
        # SQLite stores dates as texts.
        columns = (column.cast(pa.string()) if pa.types.is_date(column.type) else column for column in batch.columns)
        connection.exec_driver_sql(statement, list(zip(*(column.to_pylist() for column in columns), strict=True)))

    yield add


def _same_key(table: Table, incoming: Table) -> ColumnElement[bool]:
    return and_(*(table.c[column.name] == incoming.c[column.name] for column in table.primary_key))


def _is_rebuild_cheaper(connection: Connection, table: Table, incoming: Table) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    n_rows, n_changed = (
        connection.execute(select(func.count()).select_from(rows)).scalar_one()
        for rows in (table, _changed(table, incoming).subquery())
    )
    return n_changed > MAX_INDEXED_CHANGES * n_rows


def _changed(table: Table, incoming: Table) -> Select:
    """The incoming rows that the table does not have in this form."""
    key, *_ = table.primary_key
    others = [column.name for column in table.columns if not column.primary_key]
    differs = (table.c[name].is_distinct_from(incoming.c[name]) for name in others)
    joined = incoming.outerjoin(table, _same_key(table, incoming))
    return select(incoming).select_from(joined).where(or_(table.c[key.name].is_(None), *differs))


def _upsert(connection: Connection, table: Table, incoming: Table) -> int:
    """Writes the incoming rows that are new or differ; returns their number."""
    rows = _changed(table, incoming)
    statement = insert_into(connection, table).from_select([column.name for column in table.columns], rows)
    values = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=values)
    return connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount
