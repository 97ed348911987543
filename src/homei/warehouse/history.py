"""One home: what is published of it, and its past."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, select

from homei.warehouse.tables import property_analytics, property_history

MOST_EVENTS = 500  # of a home's past: a block of flats that a register takes for one home has thousands


def one(connection: Connection, property_id: str) -> dict[str, Any] | None:
    """The row of a property in property_analytics; None where there is none."""
    query = select(property_analytics).where(property_analytics.c.property_id == property_id)
    found = connection.execute(query).mappings().one_or_none()
    return None if found is None else dict(found)


def is_known(connection: Connection, property_id: str) -> bool:
    """Whether a property is published."""
    found = select(property_analytics.c.property_id).where(property_analytics.c.property_id == property_id)
    return connection.execute(select(exists(found))).scalar_one()


def past(connection: Connection, property_id: str) -> list[dict[str, Any]]:
    """Sales and offers of a property, the latest first, MOST_EVENTS at most."""
    c = property_history.c
    columns = (c.event, c.happened_on, c.ended_on, c.price, c.square_meters, c.is_market)
    latest = (c.happened_on.desc(), c.event, c.event_id)
    query = select(*columns).where(c.property_id == property_id).order_by(*latest).limit(MOST_EVENTS)
    return [dict(row) for row in connection.execute(query).mappings()]
