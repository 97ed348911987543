"""Stage `publish`: loads the lake's analytics into the warehouse, and writes a receipt."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, Table, delete, insert, select
from tqdm import tqdm

from homei.config.city import CityConfig
from homei.storage import lake
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connected, public_url, reading, writing
from homei.warehouse.merge import merge
from homei.warehouse.published_files import PublishedRows
from homei.warehouse.published_rows import VERSIONS, published_rows
from homei.warehouse.receipt import RECEIPT, new_receipt, receipt_differences, stored_receipt
from homei.warehouse.schema import migrate, require_supported
from homei.warehouse.search_terms import refresh_word_index
from homei.warehouse.tables import property_analytics, publication, published_shards

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
    with tempfile.TemporaryDirectory() as folder, connected(publish) as engine:
        tables = published_rows(city.coordinates, Path(folder))
        receipt = new_receipt(description, tables)
        migrate(engine, partitions=publish.partitions)
        with writing(engine) as connection:
            changed = load(connection, tables, description | {"as_of": city.as_of, "digest": receipt["digest"]})
        if property_analytics in changed:
            _vacuum(engine)
    lake.write_json(receipt, RECEIPT)


def publication_description(city: CityConfig, level: float) -> dict[str, Any]:
    """Source, currency, as_of, level of the intervals, model_version and data_version of a publication.

    Raises StaleError if the properties were valued by another model than the packaged one.
    """
    bento = lake.read_json(BENTO)
    for batch in lake.scan(lake.VALUATIONS).to_batches(columns=list(VERSIONS)):
        for name in VERSIONS:
            for version in {*batch[name].unique().to_pylist()} - {bento[name]}:
                raise StaleError(
                    f"{lake.VALUATIONS} has {name} {version}, {BENTO} has {bento[name]}: run `dvc repro publish`"
                )
    versions = {name: bento[name] for name in VERSIONS}
    description = {"source": city.name, "currency": city.currency, "as_of": city.as_of.isoformat()}
    return {**description, "level": level, **versions}


def load(connection: Connection, tables: Mapping[Table, PublishedRows], description: Mapping[str, Any]) -> set[Table]:
    """Makes the warehouse hold these tables and this row of `publication`; returns the changed tables."""
    if connection.dialect.name == "postgresql":
        for setting in ("work_mem", "maintenance_work_mem"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = '256MB'")
    changed = {table for table, rows in tables.items() if _load_table(connection, table, rows)}
    row = {"number": 1, **description}
    if connection.execute(select(publication)).mappings().one_or_none() != row:
        connection.execute(delete(publication))
        connection.execute(insert(publication).values(row))
    return changed


def _load_table(connection: Connection, table: Table, rows: PublishedRows) -> int:
    """Sends the shards whose content is not what the warehouse holds; returns the number of changed rows."""
    c = published_shards.c
    of_table = c.table_name == table.name
    stored = dict(connection.execute(select(c.shard, c.content).where(of_table)).tuples().all())
    contents = {shard: content.digest() for shard, content in rows.sums.items()}
    if stored and stored == contents:
        return 0
    # Without a record, as after a migration, the table may hold rows of any shard.
    shards = None
    if stored and "shard" in table.columns:
        shards = {shard for shard in {*stored, *contents} if stored.get(shard) != contents.get(shard)}
    n_changed = merge(connection, table, _sent_batches(rows, shards), shards)
    connection.execute(delete(published_shards).where(of_table))
    new = [{"table_name": table.name, "shard": shard, "content": content} for shard, content in contents.items()]
    if new:
        connection.execute(insert(published_shards), new)
    if n_changed:
        if table is property_analytics:
            refresh_word_index(connection)
        connection.exec_driver_sql(f"ANALYZE {table.name}")
    return n_changed


def _sent_batches(rows: PublishedRows, shards: Collection[int] | None) -> Iterator[pa.RecordBatch]:
    """The batches of some shards, or of all, with a progress bar."""
    n_rows = sum(content.rows for shard, content in rows.sums.items() if shards is None or shard in shards)
    with tqdm(total=n_rows, desc=rows.table.name, unit=" rows", unit_scale=True, disable=None) as bar:
        for batch in rows.batches(shards):
            yield batch
            bar.update(batch.num_rows)


def forget_contents(publish: PublishConfig) -> None:
    """Makes the next publication compare every row: for a warehouse whose rows were changed by hand."""
    with connected(publish) as engine:
        migrate(engine, partitions=publish.partitions)
        with writing(engine) as connection:
            connection.execute(delete(published_shards))


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
