"""Any sequence of publications leaves what the last one alone would leave."""

import json
import string

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from sqlalchemy import Boolean, Column, Date, Double, Index, Integer, MetaData, Table, Text, inspect, select

from homei.warehouse import merge as merging
from homei.warehouse.column_types import Document
from homei.warehouse.connection import reading, writing
from homei.warehouse.merge import merge
from homei.warehouse.published_rows import arrow_schema
from homei.warehouse.tables import metadata

thing = Table(
    "thing", MetaData(naming_convention=metadata.naming_convention),
    Column("key", Text, primary_key=True), Column("part", Integer, primary_key=True),
    Column("size", Double), Column("name", Text), Column("day", Date), Column("open", Boolean),
    Column("more", Document), Index("ix_thing_size", "size"),
)  # fmt: skip

texts = strategies.text(strategies.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
numbers = strategies.floats(allow_nan=False, allow_infinity=False)
keys = strategies.tuples(strategies.sampled_from(string.ascii_letters[:4] + "é'\"\\"), strategies.integers(0, 2))
values = strategies.tuples(
    strategies.none() | numbers, strategies.none() | texts, strategies.none() | strategies.dates(),
    strategies.none() | strategies.booleans(), strategies.sampled_from(["{}", '{"a":1.5}', '{"a":"x,\\"y"}']),
)  # fmt: skip
publications = strategies.lists(strategies.dictionaries(keys, values, max_size=8), min_size=1, max_size=4)


def batches(rows: dict) -> list[pa.RecordBatch]:
    full = [[*key, *value] for key, value in sorted(rows.items())]
    return pa.table(list(zip(*full, strict=True)) or [[]] * 7, schema=arrow_schema(thing)).to_batches()


@pytest.fixture
def things(engine):
    with writing(engine) as connection:
        thing.create(connection)
    return engine


@given(publications)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_holds_the_rows_that_were_published_last(things, published):
    for rows in published:
        with writing(things) as connection:
            merge(connection, thing, batches(rows))
        with reading(things) as connection:
            stored = connection.execute(select(thing)).all()
        assert {(row.key, row.part): row[2:6] for row in stored} == {key: value[:4] for key, value in rows.items()}
        assert {(row.key, row.part): row.more for row in stored} == {key: json.loads(it[4]) for key, it in rows.items()}
    with writing(things) as connection:
        assert merge(connection, thing, batches(published[-1])) == 0


def test_rows_that_changed_and_vanished_are_counted(things):
    rows = {("a", number): (float(number), "x", None, True, "{}") for number in range(3)}
    with writing(things) as connection:
        assert merge(connection, thing, batches(rows)) == 3
        changed = {**rows, ("a", 1): (9.5, "x", None, True, "{}")}
        del changed["a", 0]
        assert merge(connection, thing, batches(changed)) == 2


@pytest.mark.parametrize("share", [0.0, 1e9])
def test_a_table_has_its_key_and_indexes_after_each_kind_of_merge(things, monkeypatch, share):
    monkeypatch.setattr(merging, "MAX_INDEXED_CHANGES", share)
    for size in (1.0, 2.0):
        with writing(things) as connection:
            merge(connection, thing, batches({("a", 1): (size, None, None, None, "{}")}))
        assert [index["name"] for index in inspect(things).get_indexes("thing")] == ["ix_thing_size"]
        assert inspect(things).get_pk_constraint("thing")["constrained_columns"] == ["key", "part"]
