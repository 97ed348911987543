"""Feeds out of databases, on a real SQLite and a real PostgreSQL."""

import datetime
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from homei.config.params import ParamsError
from homei.ingestion.connectors.sql import Sql
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import Span
from homei.ingestion.landing import folder_of, land
from homei.storage import lake

COLUMNS = {"sale_date": "day", "price": "price", "square_meters": "area", "property_type": "type", "location": "town"}
END = datetime.datetime(2024, 12, 31, 23, 59, tzinfo=datetime.UTC)
ALL = Span(None, END)


@pytest.fixture(scope="module")
def server(postgresql):
    """A PostgreSQL with a table of deeds in the schema `registry`."""
    with postgresql() as running:
        engine = sqlalchemy.create_engine(running.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("create schema registry")
            connection.exec_driver_sql("create sequence registry.visits")
            connection.exec_driver_sql(
                "create table registry.deeds (id bigint primary key, day date, price numeric(12, 2), area real, "
                "type text, town text, furnished boolean, extras jsonb, changed_at timestamptz)"
            )
            connection.exec_driver_sql(
                "insert into registry.deeds select n, date '2024-01-01' + mod(n, 300), 100000 + n, 50.5, 'flat', "
                "'East', mod(n, 2) = 0, '{\"lift\": true}', "
                "timestamptz '2024-01-02 12:00+00' + mod(n, 300) * interval '1 day' from generate_series(1, 20000) n"
            )
        engine.dispose()
        yield running


@pytest.fixture
def deeds(tmp_path):
    """A SQLite file with one deed of each day of January 2024."""
    path = tmp_path / "deeds.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table deeds (id integer primary key, day, price, area, type, town, changed_at)")
        rows = [
            (n, f"2024-01-{n:02d}", n * 1000, 50.25, "flat", "East", f"2024-01-{n:02d} 10:00:00") for n in range(1, 32)
        ]
        connection.executemany("insert into deeds values (?, ?, ?, ?, ?, ?, ?)", rows)
    return path


def feed(url, **parts):
    table = {} if "query" in parts else {"table": "deeds"}
    return Sql(**{"kind": "sql", "url": url, "key": ["id"], "columns": COLUMNS, **table, **parts})


def rows_of(found, span=ALL):
    return [row for table in found.records(span, {}) for row in table.to_pylist()]


def moment(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def test_a_table_is_read_as_text(deeds):
    first, *_ = rows_of(feed(f"sqlite:///{deeds}"))
    assert first == {
        "id": "1", "day": "2024-01-01", "price": "1000", "area": "50.25", "type": "flat", "town": "East",
        "changed_at": "2024-01-01 10:00:00",
    }  # fmt: skip


def test_a_query_is_read_in_chunks(deeds):
    found = feed(f"sqlite:///{deeds}", query="select id, price * 2 as price from deeds where id <= 10;", chunk=4)
    assert [table.num_rows for table in found.records(ALL, {})] == [4, 4, 2]
    assert rows_of(found)[0] == {"id": "1", "price": "2000"}


def test_only_the_span_is_read_where_the_feed_declares_changed(deeds):
    found = feed(f"sqlite:///{deeds}", changed="changed_at")
    span = Span(moment("2024-01-10T10:00:00"), moment("2024-01-12T23:59:59"))
    assert [row["id"] for row in rows_of(found, span)] == ["10", "11", "12"]


@pytest.mark.parametrize(
    "time_of",
    [
        lambda day: day * 86_400 + 36_000,
        lambda day: (day * 86_400 + 36_000) * 1000,
        lambda day: day * 86_400.0 + 36_000.5,
        lambda day: str((day * 86_400 + 36_000) * 1000),
        lambda day: int(f"{datetime.date(1970, 1, 1) + datetime.timedelta(days=day):%Y%m%d}"),
        lambda day: f"{datetime.date(1970, 1, 1) + datetime.timedelta(days=day)}T10:00:00Z",
    ],
    ids=["seconds", "milliseconds", "real", "text", "day number", "iso"],
)
def test_a_time_of_change_of_any_type_is_compared_as_what_it_is(tmp_path, source_of, time_of):
    path = tmp_path / "deeds.sqlite"
    first = datetime.date(2024, 1, 1).toordinal() - datetime.date(1970, 1, 1).toordinal()
    with sqlite3.connect(path) as connection:
        connection.execute("create table deeds (id integer primary key, day, price, area, type, town, changed_at)")
        rows = [(n, "2024-01-01", n, 50, "flat", "East", time_of(first + n - 1)) for n in range(1, 32)]
        connection.executemany("insert into deeds values (?, ?, ?, ?, ?, ?, ?)", rows)
    counts = []
    for as_of in ("2024-01-10", "2024-01-20", "2024-01-20"):
        feed = {"kind": "sql", "url": f"sqlite:///{path}", "table": "deeds", "key": "id", "changed": "changed_at"}
        source = source_of({**feed, "columns": COLUMNS}, as_of=as_of)
        counts.append(land(source.city, "sales", source.feeds.sales[0]))
    assert counts == [(10, 10, 0, 0), (20, 10, 0, 0), (20, 0, 0, 0)]


def test_rows_without_a_time_of_change_are_read_each_time(deeds):
    with sqlite3.connect(deeds) as connection:
        connection.execute("update deeds set changed_at = null where id = 1")
    span = Span(moment("2024-01-12T00:00:00"), END)
    assert [row["id"] for row in rows_of(feed(f"sqlite:///{deeds}", changed="changed_at"), span)][:2] == ["1", "12"]


def test_a_time_of_change_that_is_none_is_an_error_with_its_value(deeds):
    with sqlite3.connect(deeds) as connection:
        connection.execute("update deeds set changed_at = '31/01/2024' where id = 31")
    with pytest.raises(SourceError, match=r"feed main: changed = 'changed_at': '31/01/2024' is no time in ISO 8601"):
        rows_of(feed(f"sqlite:///{deeds}", changed="changed_at"))


def test_identifiers_of_type_real_keep_their_digits(tmp_path):
    path = tmp_path / "real.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table deeds (id real)")
        connection.executemany("insert into deeds values (?)", [(1.31e13,), (13100000000001.0,), (7.0,)])
    ids = [row["id"] for row in rows_of(feed(f"sqlite:///{path}"))]
    assert ids == ["13100000000000", "13100000000001", "7"]


def test_columns_of_mixed_types_keep_every_value(tmp_path):
    path = tmp_path / "mixed.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table deeds (id, price)")
        connection.executemany(
            "insert into deeds values (?, ?)", [(1, 100), (2, "n/a"), (3, 2.5), (4, None), (5, b"x")]
        )
    assert [row["price"] for row in rows_of(feed(f"sqlite:///{path}"))] == ["100", "n/a", "2.5", None, "x"]


def test_a_query_cannot_write(deeds):
    with pytest.raises(SourceError, match=r"can't be read: attempt to write a readonly database|can't be read: near"):
        rows_of(feed(f"sqlite:///{deeds}", query="delete from deeds returning id"))
    assert len(rows_of(feed(f"sqlite:///{deeds}"))) == 31


def test_a_missing_database_is_an_error_and_is_not_created(tmp_path):
    path = tmp_path / "none.sqlite"
    with pytest.raises(SourceError, match=r"none\.sqlite: no such database"):
        rows_of(feed(f"sqlite:///{path}"))
    assert not path.exists()


def test_a_missing_table_is_an_error_that_names_it(deeds):
    with pytest.raises(SourceError, match=r"feed main: .* can't be read: no such table: sales"):
        rows_of(feed(f"sqlite:///{deeds}", table="sales"))


def test_an_invalid_address_is_an_error_that_names_it():
    with pytest.raises(SourceError, match=r"feed main: url = 'deeds' is not a database address"):
        rows_of(feed("deeds"))


def test_a_missing_driver_is_an_error_with_the_command_that_installs_it():
    with pytest.raises(SourceError, match=r"needs a driver: pip install 'homei\[sqlserver\]'"):
        rows_of(feed("mssql+pyodbc://reader@db/crm"))


def test_a_feed_needs_a_table_or_a_query(source_of):
    sql = {"kind": "sql", "url": "sqlite://", "key": "id", "columns": COLUMNS}
    with pytest.raises(ParamsError, match="needs either a table or a query"):
        source_of(sql)


def test_a_password_comes_from_the_environment_and_stays_out_of_messages(monkeypatch):
    monkeypatch.delenv("REGISTRY_PASSWORD", raising=False)
    found = feed("postgresql+psycopg://reader:$REGISTRY_PASSWORD@127.0.0.1:9/registry")
    with pytest.raises(SourceError, match="feed main: url: the environment variable REGISTRY_PASSWORD is not set"):
        rows_of(found)
    monkeypatch.setenv("REGISTRY_PASSWORD", "open-sesame")
    with pytest.raises(SourceError, match=r"can't be read: connection .*failed") as refused:
        rows_of(found)
    assert "open-sesame" not in str(refused.value)


def test_postgresql_types_are_read_as_text(server):
    rows = {row["id"]: row for row in rows_of(feed(server.url, table="registry.deeds"))}
    assert len(rows) == 20_000
    assert rows["2"] == {
        "id": "2", "day": "2024-01-03", "price": "100002.00", "area": "50.5", "type": "flat", "town": "East",
        "furnished": "true", "extras": '{"lift": true}', "changed_at": "2024-01-04T12:00:00+00:00",
    }  # fmt: skip


def test_postgresql_reads_only_the_span(server):
    found = feed(server.url, table="registry.deeds", changed="changed_at")
    span = Span(moment("2024-01-03T00:00:00"), moment("2024-01-04T23:59:59"))
    days = {row["changed_at"][:10] for row in rows_of(found, span)}
    assert days == {"2024-01-03", "2024-01-04"}


def test_postgresql_connections_are_read_only(server):
    found = feed(server.url, query="select nextval('registry.visits') as id")
    with pytest.raises(SourceError, match=r"can't be read: cannot execute nextval\(\) in a read-only transaction"):
        rows_of(found)


def test_a_database_that_fails_during_a_read_loses_and_duplicates_nothing(source_of, postgresql):
    with postgresql() as server:
        engine = sqlalchemy.create_engine(server.url)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "create table deeds as select n as id, date '2024-01-01' as day, n as price, 50 as area, "
                "'flat' as type, 'East' as town, timestamp '2024-01-02' as changed_at from generate_series(1, 3000) n"
            )
        engine.dispose()
        parts = {"kind": "sql", "url": server.url, "table": "deeds", "key": "id", "changed": "changed_at", "chunk": 500}
        source = source_of({**parts, "columns": COLUMNS})
        reading = source.feeds.sales[0].records(ALL, {})
        next(reading)
        server.stop()
        with pytest.raises(SourceError, match=r"feed main: .* can't be read"):
            list(reading)
        with pytest.raises(SourceError, match=r"feed main: .* can't be read"):
            land(source.city, "sales", source.feeds.sales[0])
        assert not Path("data/landing").exists()
        server.start()
        assert land(source.city, "sales", source.feeds.sales[0]) == (3000, 3000, 0, 0)
        landed = lake.read_arrow(folder_of(source.city, "sales", source.feeds.sales[0]) / "records.parquet")
        assert landed["_key"].to_pylist() == [str(number) for number in range(1, 3001)]
