"""How rows get into a table: what differs is replaced, what is new added, what vanished removed, the rest untouched."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    not_,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import AddConstraint, DropConstraint
from tqdm import tqdm

BATCH = 20_000  # rows sent at a time
INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
SORTED = -32_768  # KiB that SQLite's threads sort at a time
MOST_VALUES = 4_000  # in a statement of SQLite, a hundred rows: one at a time takes half as long again, so do thousands
MOST_KEPT = 0.1  # of a table's rows that may change before its indexes are cheaper made anew


def merge(connection: Connection, table: Table, rows: pa.Table) -> int:
    """Makes `table` hold exactly `rows`, within the connection's transaction; gives how many rows that changed.

    Rows are sent to a temporary table first, by COPY in PostgreSQL, and compared there: equal ones are not written.
    """
    if not connection.execute(select(exists(select(table)))).scalar_one():
        return _filled(connection, table, rows)
    incoming = _staged(connection, table, rows)
    vanished = connection.execute(delete(table).where(not_(exists().where(_same_key(table, incoming))))).rowcount
    changed = rows.num_rows - connection.execute(_without_equal(table, incoming)).rowcount
    with _without_indexes(connection, table, _is_cheaper_without_indexes(connection, table, changed)):
        connection.execute(_replacement(connection.dialect.name, table, incoming))
    incoming.drop(connection)
    return vanished + changed


def _filled(connection: Connection, table: Table, rows: pa.Table) -> int:
    """As `merge`, for an empty table: there is nothing to compare with, and nobody who reads."""
    if rows.num_rows:
        with _without_key(connection, table), _without_indexes(connection, table, apart=True):
            send(connection, table, rows)
    return rows.num_rows


@contextlib.contextmanager
def _without_key(connection: Connection, table: Table) -> Iterator[None]:
    """Has PostgreSQL sort the keys at once, after the block; SQLite can't take a key from a table."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(DropConstraint(table.primary_key, isolate_from_table=False))
    yield
    connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))


@contextlib.contextmanager
def _without_indexes(connection: Connection, table: Table, apart: bool) -> Iterator[None]:
    """Makes the table's indexes anew after the block, if set `apart`: sorted at once they take less time."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name)) if apart else []
    for index in indexes:
        index.drop(connection)
    yield
    if indexes:
        with _sorting_on_all_cores(connection):
            for index in tqdm(indexes, desc=f"{table.name}, indexes", unit="index", disable=None):
                index.create(connection)


@contextlib.contextmanager
def _sorting_on_all_cores(connection: Connection) -> Iterator[None]:
    """Has SQLite sort in threads of its own, as it does with what is more than its cache: half the time on two cores.

    PostgreSQL does so by itself.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    run = connection.exec_driver_sql
    kept = {name: run(f"PRAGMA {name}").scalar_one() for name in ("cache_size", "threads")}
    run(f"PRAGMA cache_size = {SORTED}")
    run(f"PRAGMA threads = {os.cpu_count()}")
    yield
    for name, value in kept.items():
        run(f"PRAGMA {name} = {value}")


def send(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Adds rows to a table, its columns in their order: by COPY in PostgreSQL."""
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    else:
        _insert(connection, table, rows)


def _staged(connection: Connection, table: Table, rows: pa.Table) -> Table:
    columns = [Column(column.name, column.type, primary_key=column.primary_key) for column in table.columns]
    incoming = Table(f"incoming_{table.name}", MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=False)
    incoming.create(connection)
    send(connection, incoming, rows)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {incoming.name}")
    return incoming


def _batches(table: Table, rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Some rows at a time, with a bar that tells how many there were."""
    with tqdm(total=rows.num_rows, desc=table.name, unit=" rows", unit_scale=True, disable=None) as bar:
        for batch in rows.to_batches(BATCH):
            yield batch
            bar.update(batch.num_rows)


def _copy(connection: Connection, table: Table, rows: pa.Table) -> None:
    options = pyarrow.csv.WriteOptions(include_header=False)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({', '.join(rows.column_names)}) FROM STDIN (FORMAT csv)") as copy,
    ):
        for batch in _batches(table, rows):
            text = io.BytesIO()
            pyarrow.csv.write_csv(batch, text, options)
            copy.write(text.getbuffer())


def _insert(connection: Connection, table: Table, rows: pa.Table) -> None:
    names = rows.column_names
    into = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES "
    marks = f"({', '.join('?' for _ in names)})"
    most = MOST_VALUES // len(names)
    for batch in _batches(table, _as_stored(rows)):
        values = list(chain.from_iterable(zip(*(column.to_pylist() for column in batch.columns), strict=True)))
        for start in range(0, len(values), most * len(names)):
            some = tuple(values[start : start + most * len(names)])
            connection.exec_driver_sql(into + ", ".join([marks] * (len(some) // len(names))), some)


def _as_stored(rows: pa.Table) -> pa.Table:
    """Rows as SQLite stores them: days are texts."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_date(field.type):
            rows = rows.set_column(place, field.name, pc.cast(rows.column(place), pa.string()))
    return rows


def _same_key(table: Table, incoming: Table) -> ColumnElement[bool]:
    return and_(*(table.c[column.name] == incoming.c[column.name] for column in table.primary_key))


def _without_equal(table: Table, incoming: Table) -> Delete:
    """Takes what the table has already out of what is incoming."""
    others = [column.name for column in table.columns if not column.primary_key]
    equal = (table.c[name].is_not_distinct_from(incoming.c[name]) for name in others)
    return delete(incoming).where(exists().where(_same_key(table, incoming), *equal))


def _replacement(dialect: str, table: Table, incoming: Table) -> Insert:
    # Without a WHERE, SQLite takes ON CONFLICT for a condition of a join.
    chosen = select(incoming).where(true())
    statement = INSERTS[dialect](table).from_select([column.name for column in table.columns], chosen)
    new = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=new)


def _is_cheaper_without_indexes(connection: Connection, table: Table, changed: int) -> bool:
    """Whether so many rows change that indexes are better made anew, where nobody has to wait for it.

    In SQLite readers have their old version meanwhile, indexes and all. In PostgreSQL they would wait at the table's
    lock for the whole publication.
    """
    if connection.dialect.name != "sqlite":
        return False
    return changed > MOST_KEPT * connection.execute(select(func.count()).select_from(table)).scalar_one()
