"""Migrations: from empty and from an earlier revision to the tables of the metadata, with their rows."""

import datetime

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text

from homei.warehouse import schema
from homei.warehouse.connection import WarehouseError, reading, writing
from homei.warehouse.schema import migrate, newest, require_supported, revision
from homei.warehouse.tables import MIN_REVISION, REVISION, audit, clients, metadata, publication

# Alembic cannot compare an index over an expression in SQLite.
pytestmark = pytest.mark.filterwarnings("ignore:autogenerate skipping")
REVISIONS = [script.revision for script in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()][::-1]
ROW = {
    "number": 1, "source": "town", "currency": "EUR", "data_version": "d", "model_version": "m", "digest": "x",
    "level": 0.9, "as_of": datetime.date(2021, 12, 31),
}  # fmt: skip


def test_an_empty_database_is_migrated_to_the_tables_of_the_metadata(empty_engine):
    with pytest.raises(WarehouseError, match="is empty: run `homei publish`"):
        require_supported(empty_engine)
    assert migrate(empty_engine) == (None, newest())
    assert newest() == REVISION
    require_supported(empty_engine)
    with writing(empty_engine) as connection:
        command.check(schema._config(connection))
    assert {*metadata.tables} <= {*inspect(empty_engine).get_table_names()}
    for table in metadata.tables.values():
        names = {index["name"] for index in inspect(empty_engine).get_indexes(table.name)}
        only_postgresql = set() if empty_engine.dialect.name == "postgresql" else {"ix_property_words"}
        assert names == {index.name for index in table.indexes} - only_postgresql
    assert migrate(empty_engine) == (newest(), newest()), "a second migration changes nothing"


@pytest.mark.parametrize("earlier", REVISIONS[:-1])
def test_a_warehouse_of_an_earlier_revision_keeps_its_rows(empty_engine, earlier):
    migrate(empty_engine, earlier)
    if earlier < MIN_REVISION:
        with pytest.raises(WarehouseError, match=f"has schema revision {earlier}, older than .*: run `homei migrate`"):
            require_supported(empty_engine)
    with writing(empty_engine) as connection:
        connection.execute(insert(publication).values(ROW))
    assert migrate(empty_engine) == (earlier, newest())
    with writing(empty_engine) as connection:
        command.check(schema._config(connection))
        assert connection.execute(select(publication.c.digest)).scalar_one() == "x"


def test_each_revision_can_be_downgraded(empty_engine):
    migrate(empty_engine)
    with writing(empty_engine) as connection:
        command.downgrade(schema._config(connection), "base")
    assert {*inspect(empty_engine).get_table_names()} == {"alembic_version"}
    assert migrate(empty_engine) == (None, newest())


def test_a_failed_migration_leaves_the_earlier_revision(empty_engine):
    migrate(empty_engine, REVISIONS[0])
    with writing(empty_engine) as connection:
        connection.exec_driver_sql("create table audit (something integer)")  # conflicts with a later revision
    with pytest.raises(WarehouseError, match="audit"):
        migrate(empty_engine)
    assert revision(empty_engine) == REVISIONS[0]
    assert "predictions" not in inspect(empty_engine).get_table_names()


def test_a_warehouse_of_a_newer_version_is_not_changed(engine):
    with writing(engine) as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(WarehouseError, match="has schema revision 9999, which this version of homei does not know"):
        migrate(engine)
    require_supported(engine)  # but a service of this version goes on with it


def test_times_are_utc_whatever_the_zone_of_the_session(engine):
    noon = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    row = {"client": "partner", "secret_hash": "", "scopes": [], "added_at": noon}
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'Asia/Singapore'")
        connection.execute(insert(clients).values(row))
        added_at = connection.execute(select(clients.c.added_at)).scalar_one()
    assert (added_at, added_at.tzinfo) == (noon, datetime.UTC)


@pytest.mark.parametrize("statement", ["update audit set actor = 'another'", "delete from audit"])
def test_an_audit_entry_cannot_be_changed_or_removed(engine, statement):
    entry = {"number": 1, "actor": "broker", "action": "predict", "outcome": "done", "details": {}, "hash": "h"}
    entry |= {"happened_at": datetime.datetime.now(datetime.UTC), "previous_hash": ""}
    with writing(engine) as connection:
        connection.execute(insert(audit).values(entry))
    with pytest.raises(WarehouseError, match="never changed or removed"), writing(engine) as connection:
        connection.exec_driver_sql(statement)
    with reading(engine) as connection:
        assert connection.execute(select(audit.c.actor)).scalar_one() == "broker"
