"""Published warehouses of a small town, in SQLite and PostgreSQL."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert

from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, database_url, writing
from homei.warehouse.schema import migrate
from homei.warehouse.search_terms import refresh_word_index
from homei.warehouse.shards import shard_of
from homei.warehouse.tables import market_trends, property_analytics, property_history, publication

HOMES = 30
UNSET = "HOMEI_UNSET_WAREHOUSE"  # an environment variable that no test sets

_exit_stack = contextlib.ExitStack()
atexit.register(_exit_stack.close)
TOLD = {"number": 1, "source": "town", "currency": "EUR", "data_version": "d1", "model_version": "m1", "level": 0.9}
TOLD |= {"as_of": datetime.date(2025, 12, 31), "digest": "0123456789abcdef" * 4}


def home(number: int) -> dict:
    """Property p000, p001, …: each third is listed, each tenth has no valuation, the last no attributes."""
    row = dict.fromkeys(property_analytics.c.keys())
    row |= {
        "property_id": f"p{number:03d}",
        "market_sales": 1,
        "other_sales": 0,
        "listings_seen": 0,
        "is_listed": False,
    }
    row |= {"features": {}, "shard": shard_of(None)}
    if number == HOMES - 1:
        return row
    place = {"latitude": 45 + number / 1000, "longitude": -30.0, "strip": int((45 + number / 1000) // 0.005)}
    own = {"address": f"{number} Mill Lane", "location": "harbour" if number % 2 else "hill", "property_type": "flat"}
    own |= {"words": f"{number} mill lane", "shard": shard_of(own["location"])}
    own |= {"square_meters": 40.0 + number, "bedrooms": float(number % 4), "floor": 2.0, "year_built": 1950 + number}
    value = {"valued_price": 100_000.0 + number, "valued_low": 90_000.0, "valued_high": 120_000.0}
    value = value | {"confidence": 0.9, "flags": "unusual_area" if number == 1 else ""} if number % 10 else {}
    asked = {"is_listed": True, "last_asking_price": 150_000.0 + number} if number % 3 == 0 else {}
    price = asked.get("last_asking_price", value.get("valued_price"))
    return {**row, **place, **own, **value, **asked, "price": price, "features": {"heating": "gas", "plot": 3.5}}


def periods() -> list[dict]:
    """Two years of trends of the harbour and of all locations, with a gap and rising prices."""
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


def migrated_file(path: Path) -> None:
    """Puts an empty SQLite warehouse at `path`: a copy of one that is migrated once per process."""
    _copy(_migrated_template, path)


def publish(settings: PublishConfig) -> None:
    """Fills the warehouse that `settings` name; a new SQLite file is copied from one filled once per process."""
    url = database_url(settings)
    # Connections to an existing file would not notice that it was overwritten.
    if url.drivername == "sqlite" and not Path(str(url.database)).exists():
        _copy(_published_template, Path(str(url.database)))
    else:
        _fill(settings)


def _copy(template: Callable[[], Path], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template(), path)


@functools.cache
def _migrated_template() -> Path:
    settings = PublishConfig(address=UNSET, file=f"{_template_folder()}/migrated.db")
    engine = connect(settings)
    migrate(engine)
    engine.dispose()
    return Path(settings.file)


@functools.cache
def _published_template() -> Path:
    path = Path(_template_folder()) / "published.db"
    migrated_file(path)
    _fill(PublishConfig(address=UNSET, file=str(path)))
    return path


@functools.cache
def _template_folder() -> str:
    return _exit_stack.enter_context(tempfile.TemporaryDirectory())


def _fill(settings: PublishConfig) -> None:
    engine = connect(settings)
    migrate(engine)
    event = {"event": "sale", "event_id": "t1", "property_id": "p001", "price": 99_000.0, "square_meters": 41.0}
    event |= {"happened_on": datetime.date(2021, 5, 1), "ended_on": None, "is_market": True}
    event["shard"] = shard_of("harbour")
    offer = event | {"event": "listing", "event_id": "l1", "happened_on": datetime.date(2022, 5, 1), "is_market": None}
    with writing(engine) as connection:
        connection.execute(insert(property_analytics), [home(number) for number in range(HOMES)])
        connection.execute(insert(property_history), [event, offer])
        connection.execute(insert(market_trends), periods())
        connection.execute(insert(publication).values(TOLD))
        refresh_word_index(connection)
    engine.dispose()
