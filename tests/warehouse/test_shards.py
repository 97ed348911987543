"""Shards: large tables are divided by location, only changed shards are sent, and a query reads one partition."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql

from homei.storage import key_buckets, lake
from homei.training.config import IntervalsConfig
from homei.warehouse import publish
from homei.warehouse.connection import reading, writing
from homei.warehouse.partitions import is_partition, partition_names, partitions_of, set_partitions
from homei.warehouse.property_records import property_events
from homei.warehouse.publish import check, run
from homei.warehouse.receipt import RECEIPT
from homei.warehouse.schema import migrate
from homei.warehouse.search_sql import CoordinateScale, PropertySearch, SearchFilters
from homei.warehouse.shards import N_SHARDS, shard_of, shards_of
from homei.warehouse.tables import property_analytics, property_history

INTERVALS = IntervalsConfig(level=0.9, folds=4)
PLANE = CoordinateScale("plane", 1.0, 1.0)
on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
PLACES = [f"district {number}" for number in range(6)]


def fill(town, properties=60, **changes):
    town(properties, location=np.resize(PLACES, properties), **changes)


def test_a_shard_depends_on_the_location_alone():
    shards = shards_of(pa.chunked_array([["north", None, "north"], ["", "é"]])).to_pylist()
    assert shards == [shard_of("north"), shard_of(""), shard_of("north"), shard_of(""), shard_of("é")]
    assert {shard_of(str(number)) for number in range(5_000)} == {*range(N_SHARDS)}


@on_postgresql
def test_postgresql_computes_the_same_shard(engine):
    shard = text("select get_byte(sha256(convert_to(coalesce(:name, ''), 'UTF8')), 0)")
    with reading(engine) as connection:
        for name in ["north", "Å 🏠", "", None]:
            assert connection.execute(shard, {"name": name}).scalar_one() == shard_of(name)


def test_rows_and_receipt_depend_on_neither_buckets_nor_partitions(settings, engine, city, town, monkeypatch):
    fill(town)
    run(city, INTERVALS, settings)
    receipt = RECEIPT.read_bytes()
    with reading(engine) as connection:
        rows = {*map(str, connection.execute(select(property_analytics)))}
    monkeypatch.setattr(key_buckets, "ROWS_PER_BUCKET", 7)
    run(city, INTERVALS, settings.model_copy(update={"partitions": 3}))
    assert RECEIPT.read_bytes() == receipt
    assert check(settings) == []
    with reading(engine) as connection:
        assert {*map(str, connection.execute(select(property_analytics)))} == rows


def test_events_are_in_the_shard_of_their_property(settings, engine, city, town):
    fill(town, 3)
    sales = lake.read(lake.RESOLVED_SALES)
    lake.write(sales.assign(property_id=sales["property_id"].replace("p00002", "unknown")), lake.RESOLVED_SALES)
    run(city, INTERVALS, settings)
    with reading(engine) as connection:
        shards = dict(connection.execute(select(property_history.c.event_id, property_history.c.shard)).tuples().all())
        assert shards == {
            "l1": shard_of(PLACES[1]), "t0": shard_of(PLACES[0]), "t1": shard_of(PLACES[1]), "t2": shard_of(None),
        }  # fmt: skip
        assert [event["event"] for event in property_events(connection, "p00001", shards["t1"])] == ["listing", "sale"]


def test_only_shards_that_changed_are_sent(settings, engine, city, town, monkeypatch):
    fill(town)
    run(city, INTERVALS, settings)
    sent, send = [], publish.merge

    def merge(connection, table, batches, shards=None):
        sent.append((table.name, shards))
        return send(connection, table, batches, shards)

    monkeypatch.setattr(publish, "merge", merge)
    run(city, INTERVALS, settings)
    assert sent == []
    prices = np.arange(60.0)
    prices[[1, 7]] += 1000  # both in the second district
    fill(town, valued_price=np.arange(60.0))
    run(city, INTERVALS, settings)
    sent.clear()
    fill(town, valued_price=prices)
    run(city, INTERVALS, settings)
    assert sent == [("property_analytics", {shard_of(PLACES[1])})]
    assert check(settings) == []


def test_a_property_that_moves_to_another_location_changes_its_shard(settings, engine, city, town):
    fill(town, 12)
    run(city, INTERVALS, settings)
    town(12, location=["elsewhere", *np.resize(PLACES, 12)[1:]])
    run(city, INTERVALS, settings)
    assert check(settings) == []
    with reading(engine) as connection:
        moved = select(property_analytics.c.shard).where(property_analytics.c.property_id == "p00000")
        assert connection.execute(moved).scalars().all() == [shard_of("elsewhere")]
    town(6, location=PLACES)  # all properties of a shard vanish
    run(city, INTERVALS, settings)
    assert check(settings) == []


def scanned_tables(connection, statement) -> set[str]:
    """The tables that PostgreSQL reads for a statement."""
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}").scalar_one()

    def tables(node):
        own = {node["Relation Name"]} if "Relation Name" in node else set()
        return own.union(*map(tables, node.get("Plans", [])))

    return tables((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"])


@on_postgresql
def test_a_query_with_a_location_reads_one_partition(settings, engine, city, town):
    fill(town)
    run(city, INTERVALS, settings)
    with reading(engine) as connection:
        assert partitions_of(connection, "property_analytics") == partition_names("property_analytics", 4)
        for ordering in ("price", "area", "year"):
            search = PropertySearch(SearchFilters(location=PLACES[2]), PLANE, ordering)
            (partition,) = scanned_tables(connection, search._select("postgresql", 21, None))
            first, last = int(partition[-7:-4]), int(partition[-3:])
            assert first <= shard_of(PLACES[2]) <= last
            assert scanned_tables(connection, search._count("postgresql")) == {partition}
        everywhere = PropertySearch(SearchFilters(), PLANE)._select("postgresql", 21, None)
        assert len(scanned_tables(connection, everywhere)) == 4
        history = property_history.c
        events = select(history.event).where(history.property_id == "p", history.shard == shard_of(PLACES[2]))
        assert scanned_tables(connection, events) == {partition.replace("property_analytics", "property_history")}


@on_postgresql
def test_another_number_of_partitions_keeps_all_rows_and_indexes(settings, engine, city, town):
    fill(town)
    run(city, INTERVALS, settings)
    for number in (1, 2, 4):
        migrate(engine, partitions=number)
        with reading(engine) as connection:
            assert partitions_of(connection, "property_history") == partition_names("property_history", number)
        assert check(settings) == []
    with writing(engine) as connection:
        indexes = text("select count(*) from pg_indexes where tablename = :name")
        for name in partition_names("property_analytics", 4):
            assert is_partition(name)
            assert connection.execute(indexes, {"name": name}).scalar_one() == 7
        connection.exec_driver_sql("ALTER TABLE property_history_064_127 RENAME TO on_another_server")
        set_partitions(connection, "property_history", 2)
        assert "on_another_server" in partitions_of(connection, "property_history")


ROW = {"property_id": "p1", "location": "north", "address": "1 Mill Lane", "words": "1 mill lane", "price": 1.5}
ROW |= {"market_sales": 1, "other_sales": 0, "listings_seen": 0, "is_listed": False, "features": {"a": 1.0}}


def test_a_warehouse_of_revision_0002_keeps_its_rows_in_shards_and_serves_its_queries(empty_engine):
    migrate(empty_engine, "0002")
    event = {"event": "sale", "event_id": "t1", "property_id": "p1", "happened_on": pd.Timestamp("2021-05-01").date()}
    with writing(empty_engine) as connection:
        of_0002 = [column for column in property_analytics.columns if column.name != "shard"]
        names = ", ".join(ROW)
        values = [json.dumps(value) if isinstance(value, dict) else value for value in ROW.values()]
        marks = ", ".join(f":{name}" for name in ROW)
        row = dict(zip(ROW, values, strict=True))
        if connection.dialect.name == "postgresql":
            marks = marks.replace(":features", "cast(:features as jsonb)")
        connection.execute(text(f"insert into property_analytics ({names}) values ({marks})"), row)
        connection.execute(text(f"insert into property_history ({', '.join(event)}) values ('sale', 't1', 'p1', :day)"),
                           {"day": str(event["happened_on"])})  # fmt: skip
        before = connection.execute(select(*of_0002)).all()
    migrate(empty_engine, partitions=4)
    with reading(empty_engine) as connection:
        assert connection.execute(select(*of_0002)).all() == before  # as a service of revision 0002 reads
        for table in (property_analytics, property_history):
            assert connection.execute(select(table.c.shard)).scalars().all() == [shard_of("north")]
        page = PropertySearch(SearchFilters(location="north"), PLANE).page(connection, 10)
        assert [found["property_id"] for found in page.rows] == ["p1"]
