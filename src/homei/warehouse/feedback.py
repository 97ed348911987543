"""Sale prices that clients report: one for each idempotency key, a repeated request changes nothing."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from homei.warehouse.connection import insert_into
from homei.warehouse.tables import feedback


@dataclass(frozen=True)
class ReportedSale:
    """A sale of a published property, of a valuation that the client received, or both."""

    prediction_id: str | None
    property_id: str | None
    sold_on: datetime.date
    price: float


class StoredFeedback(NamedTuple):
    """The sale stored under a client's key, when it was first received, and whether that was this request."""

    sale: ReportedSale
    received_at: datetime.datetime
    is_new: bool


def store_feedback(
    connection: Connection, client: str, key: str, sale: ReportedSale, received_at: datetime.datetime
) -> StoredFeedback:
    """Stores a sale under a client's key; if the key has a sale already, that one stays and is returned."""
    row = {"client": client, "key": key, "received_at": received_at, **asdict(sale)}
    insert = insert_into(connection, feedback).values(row).on_conflict_do_nothing()
    inserted = connection.execute(insert.returning(feedback.c.key)).one_or_none()
    stored = stored_feedback(connection, client, key)
    assert stored is not None
    return stored._replace(is_new=inserted is not None)


def stored_feedback(connection: Connection, client: str, key: str) -> StoredFeedback | None:
    """The sale that is stored under a client's key, or None."""
    query = select(feedback).where(feedback.c.client == client, feedback.c.key == key)
    row: Any = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    sale = ReportedSale(**{field.name: row[field.name] for field in fields(ReportedSale)})
    return StoredFeedback(sale, row["received_at"], False)
