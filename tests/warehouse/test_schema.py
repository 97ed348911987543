"""Migrations: from nothing and from every earlier revision to what the metadata says, with what was there."""

import datetime

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text

from homei.warehouse import schema
from homei.warehouse.connection import WarehouseError, reading, writing
from homei.warehouse.filters import Filters, Place
from homei.warehouse.schema import migrate, newest, require_newest, revision
from homei.warehouse.search import find
from homei.warehouse.tables import audit, metadata, publication

REVISIONS = [script.revision for script in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()][::-1]
ROW = {
    "number": 1, "source": "town", "currency": "EUR", "data_version": "d", "model_version": "m", "digest": "x",
    "level": 0.9,
}  # fmt: skip


def test_an_empty_warehouse_is_brought_to_what_the_metadata_says(engine):
    assert revision(engine) is None
    assert migrate(engine) == (None, newest())
    with writing(engine) as connection:
        command.check(schema._config(connection))
    assert {*metadata.tables} <= {*inspect(engine).get_table_names()}
    for table in metadata.tables.values():
        own = {index.name for index in table.indexes}
        assert {index["name"] for index in inspect(engine).get_indexes(table.name)} == own


def test_migrating_again_changes_nothing(engine):
    migrate(engine)
    assert migrate(engine) == (newest(), newest())


@pytest.mark.parametrize("earlier", REVISIONS[:-1])
def test_a_warehouse_of_an_earlier_revision_keeps_what_it_holds(engine, earlier):
    migrate(engine, earlier)
    with pytest.raises(WarehouseError, match=f"is of revision {earlier}: `homei migrate` brings it to {newest()}"):
        require_newest(engine)
    with writing(engine) as connection:
        connection.execute(insert(publication).values(ROW | {"as_of": datetime.date(2021, 12, 31)}))
    assert migrate(engine) == (earlier, newest())
    with writing(engine) as connection:
        command.check(schema._config(connection))
        assert connection.execute(select(publication.c.digest)).scalar_one() == "x"


# From 0007 on, a publication brings what a search needs.
@pytest.mark.parametrize("earlier", REVISIONS[: REVISIONS.index("0007")])
def test_homes_of_an_earlier_revision_are_found(engine, earlier):
    migrate(engine, earlier)
    own = "property_id, address, location, property_type, bedrooms, price"
    counts = "market_sales, other_sales, listings_seen, is_listed, features"
    with writing(engine) as connection:
        for key, address, bedrooms in (("p1", "12/3 Mill-Lane", 3.0), ("p2", "Été 12", 14.0), ("p3", None, None)):
            connection.execute(
                text(
                    f"insert into property_analytics ({own}, {counts})"
                    " values (:key, :address, 'north', 'flat', :bedrooms, 1.0, 0, 0, 0, false, '{}')"
                ),
                {"key": key, "address": address, "bedrooms": bedrooms},
            )
    migrate(engine)
    asked = {"p1": {"address": "mill 3"}, "p2": {"address": "ét", "bedrooms_min": 12.0}, "p3": {"location": "north"}}
    with reading(engine) as connection:
        for key, filters in asked.items():
            page = find(connection, Filters(**filters), Place("plane", 1.0, 1.0), "price", True, 1, None)
            assert [home["property_id"] for home in page.homes] == [key]


def test_each_revision_can_be_taken_back(engine):
    migrate(engine)
    with writing(engine) as connection:
        command.downgrade(schema._config(connection), "base")
    assert {*inspect(engine).get_table_names()} == {"alembic_version"}
    assert migrate(engine) == (None, newest())


def test_a_migration_that_fails_leaves_the_revision_that_was_there(engine):
    migrate(engine, REVISIONS[0])
    with writing(engine) as connection:
        connection.exec_driver_sql("create table audit (something integer)")  # in the way of a later revision
    with pytest.raises(WarehouseError, match="audit"):
        migrate(engine)
    assert revision(engine) == REVISIONS[0]
    assert "predictions" not in inspect(engine).get_table_names()


def test_a_warehouse_that_a_newer_homei_made_is_left_alone(engine):
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(WarehouseError, match="revision 9999, which this homei doesn't know"):
        migrate(engine)


@pytest.mark.parametrize("statement", ["update audit set actor = 'nobody'", "delete from audit"])
def test_an_audit_entry_is_neither_changed_nor_removed(engine, statement):
    migrate(engine)
    entry = {"number": 1, "actor": "broker", "action": "predict", "outcome": "done", "details": {}, "hash": "h"}
    entry |= {"happened_at": datetime.datetime.now(datetime.UTC), "previous_hash": ""}
    with writing(engine) as connection:
        connection.execute(insert(audit).values(entry))
    with pytest.raises(WarehouseError, match="never changed or removed"), writing(engine) as connection:
        connection.exec_driver_sql(statement)
    with reading(engine) as connection:
        assert connection.execute(select(audit.c.actor)).scalar_one() == "broker"
