"""One published property: its row, and its sales and listings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, select

from homei.warehouse.tables import property_analytics, property_history

MAX_EVENTS = 500  # per property: a block of flats that a register takes for one property has thousands


def property_row(connection: Connection, property_id: str) -> dict[str, Any] | None:
    """The row of a property in property_analytics, or None."""
    query = select(property_analytics).where(property_analytics.c.property_id == property_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def is_published(connection: Connection, property_id: str) -> bool:
    """Whether property_analytics has the property."""
    query = select(property_analytics.c.property_id).where(property_analytics.c.property_id == property_id)
    return connection.execute(select(exists(query))).scalar_one()


def property_events(connection: Connection, property_id: str, shard: int) -> list[dict[str, Any]]:
    """Sales and listings of a property in a shard, the latest first, at most MAX_EVENTS."""
    c = property_history.c
    columns = (c.event, c.happened_on, c.ended_on, c.price, c.square_meters, c.is_market)
    latest_first = (c.happened_on.desc(), c.event, c.event_id)
    of_property = (c.property_id == property_id, c.shard == shard)
    query = select(*columns).where(*of_property).order_by(*latest_first).limit(MAX_EVENTS)
    return [dict(row) for row in connection.execute(query).mappings()]
