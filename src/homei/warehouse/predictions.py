"""Lines of the log into `predictions`: the database takes the JSON apart itself, a statement for thousands of lines."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError

from homei.warehouse.tables import predictions


class UnfitError(ValueError):
    """Lines that are not what the table takes."""


def add(connection: Connection, lines: Sequence[str]) -> None:
    """Adds lines (JSON objects that name all columns, the time as `2026-01-31 12:00:00.000000` in UTC), in order.

    One whose prediction_id is there already changes nothing. Raises UnfitError where the database can't read one.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    statement = _POSTGRESQL if is_postgresql else _SQLITE
    try:
        if is_postgresql:
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # what times without a zone are in
        connection.execute(statement, {"lines": f"[{','.join(lines)}]"})
    except DataError as error:
        raise UnfitError(str(error.orig).partition("\n")[0]) from None


def _into_sqlite() -> TextClause:
    found = ", ".join(f"json_extract(value, '$.{name}')" for name in NAMES)
    # SQLite would take ON for the beginning of a join where there is no WHERE.
    return text(f"{INTO} SELECT {found} FROM json_each(:lines) WHERE true ORDER BY key ON CONFLICT DO NOTHING")


def _into_postgresql() -> TextClause:
    kinds = [f"{each.name} {each.type.compile(postgresql.dialect())}" for each in predictions.c]
    each = "jsonb_array_elements(CAST(:lines AS jsonb)) WITH ORDINALITY AS each (line, number), "
    each += f"jsonb_to_record(line) AS found ({', '.join(kinds)})"
    return text(f"{INTO} SELECT {', '.join(NAMES)} FROM {each} ORDER BY number ON CONFLICT DO NOTHING")


NAMES = tuple(each.name for each in predictions.c)
INTO = f"INSERT INTO predictions ({', '.join(NAMES)})"
_SQLITE, _POSTGRESQL = _into_sqlite(), _into_postgresql()
