"""Rows that come as JSON: a table holds what it would hold had each been put in by itself, after one statement."""

import datetime
import json

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import IntegrityError

from homei.warehouse.connection import WarehouseError, writing
from homei.warehouse.lines import add
from homei.warehouse.schema import migrate
from homei.warehouse.tables import audit

BEGAN = datetime.datetime(2026, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)


def row(number, **more):
    told = {"actor": "Zoë's", "action": "GET /:x", "outcome": "ok", "subject": None, "request_id": "1\\"}
    hashes = {"previous_hash": "0", "hash": str(number)}
    return {"number": number, "happened_at": BEGAN, "details": {"ms": 2}, **told, **hashes, **more}


def line(row):
    return json.dumps(row | {"happened_at": row["happened_at"].isoformat()})


def held(connection):
    return [dict(found) for found in connection.execute(select(audit).order_by(audit.c.number)).mappings()]


def test_lines_are_what_rows_of_the_same_would_be(engine):
    later = BEGAN + datetime.timedelta(microseconds=5)
    nested = {"reason": "a \"quoted\" 'word'", "n": [1, 2.5, None, {"x": True}]}
    rows = [row(1), row(2, happened_at=later, subject="s"), row(3, details=nested), row(4, details={})]
    again = [each | {"number": 2**60 + each["number"]} for each in rows]
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(insert(audit), rows)
        add(connection, audit, [line(each) for each in again])
        found = held(connection)
    assert [each | {"number": 0} for each in found[:4]] == [each | {"number": 0} for each in found[4:]]
    assert [each["number"] for each in found] == [each["number"] for each in (*rows, *again)]


def test_a_thousand_lines_are_one_statement(engine):
    migrate(engine)
    said = []
    event.listen(engine, "before_cursor_execute", lambda *told: said.append(told[3:]))
    with writing(engine) as connection:
        said.clear()
        add(connection, audit, [line(row(number)) for number in range(1000)])
        ((parameters, _, is_many),) = said
        assert "999" in str(parameters)
        assert not is_many
        assert len(held(connection)) == 1000


def test_a_key_that_is_there_is_refused_or_passed_over(engine):
    migrate(engine)
    with writing(engine) as connection:
        add(connection, audit, [line(row(1))])
        add(connection, audit, [line(row(1, actor="other")), line(row(2))], new_alone=True)
        assert [found["actor"] for found in held(connection)] == ["Zoë's", "Zoë's"]
    with pytest.raises((IntegrityError, WarehouseError)), writing(engine) as connection:
        add(connection, audit, [line(row(3)), line(row(1))])
    with writing(engine) as connection:
        assert len(held(connection)) == 2
