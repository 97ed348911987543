"""Published warehouses of a small town, for the routes that read them: a file, and a real server."""

from __future__ import annotations

import datetime

import pyarrow as pa
from sqlalchemy import Connection, insert, select

from homei.config import Publish
from homei.warehouse.connection import connect, writing
from homei.warehouse.contents import counted, schema_of
from homei.warehouse.merge import merge
from homei.warehouse.schema import migrate
from homei.warehouse.tables import market_trends, property_analytics, property_history, property_kinds, publication
from homei.warehouse.words import index_words

HOMES = 30
TOLD = {"number": 1, "source": "town", "currency": "EUR", "data_version": "d1", "model_version": "m1", "level": 0.9}
TOLD |= {"as_of": datetime.date(2025, 12, 31), "digest": "0123456789abcdef" * 4}


def home(number: int) -> dict:
    """The home p000, p001, …: each third one offered, each tenth one without a value, the last one quite unknown."""
    row = dict.fromkeys(property_analytics.c.keys())
    row |= {
        "property_id": f"p{number:03d}",
        "market_sales": 1,
        "other_sales": 0,
        "listings_seen": 0,
        "is_listed": False,
    }
    row |= {"features": {}, "kind": ""}
    if number == HOMES - 1:
        return row
    place = {"latitude": 45 + number / 1000, "longitude": -30.0, "strip": int((45 + number / 1000) // 0.005)}
    own = {"address": f"{number} Mill Lane", "location": "harbour" if number % 2 else "hill", "property_type": "flat"}
    own |= {"words": f" {number} mill lane ", "kind": f"flat/{number % 4}"}
    own |= {"square_meters": 40.0 + number, "bedrooms": float(number % 4), "floor": 2.0, "year_built": 1950 + number}
    value = {"valued_price": 100_000.0 + number, "valued_low": 90_000.0, "valued_high": 120_000.0}
    value = value | {"confidence": 0.9, "flags": "unusual_area" if number == 1 else ""} if number % 10 else {}
    asked = {"is_listed": True, "last_asking_price": 150_000.0 + number} if number % 3 == 0 else {}
    price = asked.get("last_asking_price", value.get("valued_price"))
    return {**row, **place, **own, **value, **asked, "price": price, "features": {"heating": "gas", "plot": 3.5}}


def periods() -> list[dict]:
    """Twenty-four months of the harbour and of all, with a gap; prices rise by a hundred a month."""
    rows = []
    for number in range(2024 * 12, 2026 * 12):
        day = datetime.date(number // 12, number % 12 + 1, 1)
        for location in ("", "harbour"):
            key = {"frequency": "month", "location": location, "property_type": "", "period": day}
            told = {"market_sales": 3, "median_price": 100_000.0 + 100 * (number - 2024 * 12), "price_index": 100.0}
            told |= {"average_price_per_square_meter": 2000.0, "inventory": 4, "new_listings": 1, "closed_listings": 0}
            if day != datetime.date(2025, 6, 1):
                rows.append(key | told)
    year = {"frequency": "year", "location": "", "property_type": "", "period": datetime.date(2025, 1, 1)}
    rows.append(rows[-2] | year)
    rows.append(rows[-1] | {"location": "=cmd|' /C calc'!A0"})
    return rows


def publish(settings: Publish) -> None:
    """Fills the warehouse that `settings` name."""
    engine = connect(settings)
    migrate(engine)
    event = {"event": "sale", "event_id": "t1", "property_id": "p001", "price": 99_000.0, "square_meters": 41.0}
    event |= {"happened_on": datetime.date(2021, 5, 1), "ended_on": None, "is_market": True}
    offer = event | {"event": "listing", "event_id": "l1", "happened_on": datetime.date(2022, 5, 1), "is_market": None}
    with writing(engine) as connection:
        connection.execute(insert(property_analytics), [home(number) for number in range(HOMES)])
        connection.execute(insert(property_history), [event, offer])
        connection.execute(insert(market_trends), periods())
        connection.execute(insert(publication).values(TOLD))
        index_words(connection)
        count_kinds(connection)
    engine.dispose()


def count_kinds(connection: Connection) -> None:
    """Brings property_kinds to the homes that are there, as a publication does."""
    columns = [column for column in property_analytics.c if column.name != "features"]
    schema = pa.schema([schema_of(property_analytics).field(column.name) for column in columns])
    rows = [dict(row) for row in connection.execute(select(*columns)).mappings()]
    merge(connection, property_kinds, counted(pa.Table.from_pylist(rows, schema=schema)))
