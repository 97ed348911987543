"""The prices that homes did sell at, each told once: a client's key sent again changes nothing."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from homei.warehouse.tables import feedback

INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


@dataclass(frozen=True)
class Sale:
    """What a client tells: the home, or the answer that it had been given, the day and the price."""

    prediction_id: str | None
    property_id: str | None
    sold_on: datetime.date
    price: float


class Kept(NamedTuple):
    """What is kept under a client's key: the sale as it was first told, when that was, and whether it was just now."""

    sale: Sale
    received_at: datetime.datetime
    is_new: bool


def keep(connection: Connection, client: str, key: str, sale: Sale, now: datetime.datetime) -> Kept:
    """Keeps a sale under a client's key, unless there is one: then what was told first stays and is given back."""
    row = {"client": client, "key": key, "received_at": now, **asdict(sale)}
    insert = INSERTS[connection.dialect.name](feedback).values(row).on_conflict_do_nothing()
    added = connection.execute(insert.returning(feedback.c.key)).one_or_none()
    found = kept(connection, client, key)
    assert found is not None
    return found._replace(is_new=added is not None)


def kept(connection: Connection, client: str, key: str) -> Kept | None:
    """What is kept under a client's key; None where nothing is."""
    query = select(feedback).where(feedback.c.client == client, feedback.c.key == key)
    row: Any = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    # SQLite keeps no time zone; what was written is UTC.
    received = row["received_at"]
    received = received if received.tzinfo else received.replace(tzinfo=datetime.UTC)
    names = ("prediction_id", "property_id", "sold_on", "price")
    return Kept(Sale(**{name: row[name] for name in names}), received.astimezone(datetime.UTC), False)
