"""Lines of the log into `predictions`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from homei.warehouse import lines as rows
from homei.warehouse.tables import predictions


class UnfitError(ValueError):
    """Lines that are not what the table takes."""


def add(connection: Connection, lines: Sequence[str]) -> None:
    """Adds lines (JSON objects that name all columns, the time as `2026-01-31 12:00:00.000000` in UTC), in order.

    One whose prediction_id is there already changes nothing. Raises UnfitError where the database can't read one.
    """
    try:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # what times without a zone are in
        rows.add(connection, predictions, lines, new_alone=True)
    except DataError as error:
        raise UnfitError(str(error.orig).partition("\n")[0]) from None
