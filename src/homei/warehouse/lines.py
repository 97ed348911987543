"""Rows that come as JSON into a table: the database takes them apart itself, a statement for thousands.

Of a statement for each, SQLite's driver would wait for Python's lock after every one: among other threads' work it
takes ten times as long, and holds them up as often.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from sqlalchemy import Column, Connection, DateTime, Table, TextClause, text
from sqlalchemy.dialects import postgresql


def add(connection: Connection, table: Table, lines: Sequence[str], new_alone: bool = False) -> None:
    """Adds lines, JSON objects that name all columns of a table, in order.

    A time is `2026-01-31 12:00:00.000000` in the connection's zone, or ISO 8601 with `+00:00` behind it. With
    `new_alone` one whose key is there already changes nothing; else it is an IntegrityError. A DataError is raised
    where the database can't read a line.
    """
    kind = connection.dialect.name
    connection.execute(_insertion(table, kind, new_alone), {"lines": f"[{','.join(lines)}]"})


@functools.cache
def _insertion(table: Table, kind: str, new_alone: bool) -> TextClause:
    found = _from_postgresql(table) if kind == "postgresql" else _from_sqlite(table)
    into = f"INSERT INTO {table.name} ({', '.join(each.name for each in table.c)})"
    return text(f"{into} {found}{' ON CONFLICT DO NOTHING' if new_alone else ''}")


def _from_sqlite(table: Table) -> str:
    # SQLite would take ON for the beginning of a join where there is no WHERE.
    return f"SELECT {', '.join(map(_extracted, table.c))} FROM json_each(:lines) WHERE true ORDER BY key"


def _extracted(column: Column) -> str:
    found = f"json_extract(value, '$.{column.name}')"
    is_time = isinstance(column.type, DateTime)
    return f"replace(replace({found}, '+00:00', ''), 'T', ' ')" if is_time else found  # as SQLAlchemy has it there


def _from_postgresql(table: Table) -> str:
    names, kinds = [], []
    for column in table.c:
        names.append(f"found.{column.name}")
        kinds.append(f"{column.name} {column.type.compile(postgresql.dialect())}")
    each = "jsonb_array_elements(CAST(:lines AS jsonb)) WITH ORDINALITY AS each (line, place)"
    return f"SELECT {', '.join(names)} FROM {each}, jsonb_to_record(line) AS found ({', '.join(kinds)}) ORDER BY place"
