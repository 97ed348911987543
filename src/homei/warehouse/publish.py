"""Stage `publish`: loads the lake's analytics into the warehouse, and writes a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, Table, delete, insert, select

from homei.config.city import CityConfig
from homei.storage import lake
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connected, public_url, reading, writing
from homei.warehouse.merge import merge
from homei.warehouse.published_rows import VERSIONS, published_rows
from homei.warehouse.receipt import RECEIPT, new_receipt, receipt_differences, stored_receipt
from homei.warehouse.schema import migrate, require_supported
from homei.warehouse.search_terms import refresh_word_index
from homei.warehouse.tables import property_analytics, publication

if TYPE_CHECKING:
    from homei.training.config import IntervalsConfig

BENTO = Path("models/bento.json")


class StaleError(ValueError):
    """The valuations are not of the packaged model. The message names the command to run."""


def run(city: CityConfig, intervals: IntervalsConfig, publish: PublishConfig) -> None:
    """Migrates the warehouse, makes it hold what the lake holds, and writes the receipt.

    A run that is killed leaves the previous or the new publication; the next run completes it.
    """
    description = publication_description(city, intervals.level)
    tables = published_rows(city.coordinates)
    receipt = new_receipt(description, tables)
    with connected(publish) as engine:
        migrate(engine)
        with writing(engine) as connection:
            load(connection, tables, description | {"as_of": city.as_of, "digest": receipt["digest"]})
        _vacuum(engine)
    lake.write_json(receipt, RECEIPT)


def publication_description(city: CityConfig, level: float) -> dict[str, Any]:
    """Source, currency, as_of, level of the intervals, model_version and data_version of a publication.

    Raises StaleError if the properties were valued by another model than the packaged one.
    """
    bento = lake.read_json(BENTO)
    valuations = lake.read_arrow(lake.VALUATIONS)
    for name in VERSIONS:
        for version in {*valuations[name].unique().to_pylist()} - {bento[name]}:
            raise StaleError(
                f"{lake.VALUATIONS} has {name} {version}, {BENTO} has {bento[name]}: run `dvc repro publish`"
            )
    versions = {name: bento[name] for name in VERSIONS}
    description = {"source": city.name, "currency": city.currency, "as_of": city.as_of.isoformat()}
    return {**description, "level": level, **versions}


def load(connection: Connection, tables: Mapping[Table, pa.Table], description: Mapping[str, Any]) -> None:
    """Makes the warehouse hold exactly these tables and this row of `publication`."""
    if connection.dialect.name == "postgresql":
        for setting in ("work_mem", "maintenance_work_mem"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = '256MB'")
    for table, rows in tables.items():
        if merge(connection, table, rows):
            if table is property_analytics:
                refresh_word_index(connection)
            connection.exec_driver_sql(f"ANALYZE {table.name}")
    row = {"number": 1, **description}
    if connection.execute(select(publication)).mappings().one_or_none() != row:
        connection.execute(delete(publication))
        connection.execute(insert(publication).values(row))


def _vacuum(engine: Engine) -> None:
    """Removes dead rows in PostgreSQL at once: until then, each publication would slow searches down."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM {property_analytics.name}")


def check(publish: PublishConfig) -> list[str]:
    """A sentence for each difference between the warehouse and the receipt; empty if there is none."""
    expected = lake.read_json(RECEIPT)
    with connected(publish) as engine:
        require_supported(engine)
        with reading(engine) as connection:
            stored = stored_receipt(connection)
    if stored is None:
        raise WarehouseError(f"{public_url(engine.url)} has no publication: run `homei publish`")
    return receipt_differences(expected, stored)
