"""Stage `publish`: what the lake holds into the warehouse, in one transaction, and a receipt of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, Table, delete, insert, select

from homei import lake
from homei.config import Intervals, Publish
from homei.source import Source
from homei.warehouse.connection import WarehouseError, connect, reading, shown, writing
from homei.warehouse.contents import VERSIONS, contents, counted
from homei.warehouse.merge import merge
from homei.warehouse.receipt import FILE, differences, receipt, receipt_of
from homei.warehouse.schema import migrate, require_newest
from homei.warehouse.tables import property_analytics, property_kinds, publication
from homei.warehouse.words import index_words

BENTO = Path("models/bento.json")
DERIVED = ("property_kinds", "property_terms", "property_words")


class StaleError(ValueError):
    """Values that are not of the model that is packaged: the message says what to run."""


def run(source: Source, intervals: Intervals, publish: Publish) -> None:
    """Brings the warehouse to the newest revision and to what the lake holds, and writes the receipt.

    Killed at any moment it leaves the warehouse as it was or as it should be; the next run does the rest.
    """
    told = described(source, intervals.level)
    tables = contents(source.coordinates)
    slip = receipt(told, tables)
    engine = connect(publish)
    try:
        migrate(engine)
        with writing(engine) as connection:
            put(connection, tables, told | {"as_of": source.as_of, "digest": slip["digest"]})
        _tidy(engine)
    finally:
        engine.dispose()
    lake.write_json(slip, FILE)


def described(source: Source, level: float) -> dict[str, Any]:
    """Of what the publication is: source, currency, as_of, level of the intervals, data_version and model_version.

    Raises StaleError where the properties were valued by another model than the one that is packaged.
    """
    packaged = lake.read_json(BENTO)
    valued = lake.read_arrow(lake.VALUATIONS)
    for name in VERSIONS:
        for other in {*valued[name].unique().to_pylist()} - {packaged[name]}:
            raise StaleError(
                f"{lake.VALUATIONS} is of {name} {other}, {BENTO} of {packaged[name]}: run `dvc repro publish`"
            )
    versions = {name: packaged[name] for name in VERSIONS}
    own = {"source": source.name, "currency": source.currency, "as_of": source.as_of.isoformat()}
    return {**own, "level": level, **versions}


def put(connection: Connection, tables: Mapping[Table, pa.Table], told: Mapping[str, Any]) -> None:
    """Makes the warehouse hold exactly these tables, and `publication` tell of them; all by the given transaction."""
    if connection.dialect.name == "postgresql":
        for setting in ("work_mem", "maintenance_work_mem"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = '256MB'")
    changed = [table for table, rows in tables.items() if merge(connection, table, rows)]
    if changed:
        index_words(connection)
        merge(connection, property_kinds, counted(tables[property_analytics]))
    for name in (*(table.name for table in changed), *(DERIVED if changed else ())):
        connection.exec_driver_sql(f"ANALYZE {name}")
    now = {"number": 1, **told}
    if connection.execute(select(publication)).mappings().one_or_none() != now:
        connection.execute(delete(publication))
        connection.execute(insert(publication).values(now))


def _tidy(engine: Engine) -> None:
    """Has PostgreSQL note which rows everybody may see: only then does a search read indexes alone."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM property_analytics")


def check(publish: Publish) -> list[str]:
    """A sentence for each respect in which the warehouse isn't what the receipt says; empty where there is none."""
    expected = lake.read_json(FILE)
    engine = connect(publish)
    try:
        require_newest(engine)
        with reading(engine) as connection:
            found = receipt_of(connection)
    finally:
        engine.dispose()
    if found is None:
        raise WarehouseError(f"{shown(engine.url)} holds no publication yet: `homei publish`")
    return differences(expected, found)
