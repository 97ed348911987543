"""Writes to the table `predictions`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from homei.warehouse.connection import insert_into
from homei.warehouse.tables import predictions


class InvalidPredictionError(ValueError):
    """A row that the table cannot store."""


def add_predictions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows in order, `predicted_at` in ISO 8601; a prediction_id that exists is skipped.

    Raises InvalidPredictionError if a row is no prediction.
    """
    statement = insert_into(connection, predictions).on_conflict_do_nothing()
    try:
        parsed = [{**row, "predicted_at": datetime.datetime.fromisoformat(row["predicted_at"])} for row in rows]
        connection.execute(statement, parsed)
    except (DataError, IntegrityError) as error:
        raise InvalidPredictionError(str(error.orig).partition("\n")[0]) from None
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidPredictionError(f"not a prediction: {error!r}") from None
