"""The landing of living feeds: only what is new is read, nothing is lost or doubled, and every byte comes back."""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homei import lake
from homei.sources import ingest
from homei.sources.landing import archive_of, backups_of, folder_of, land
from homei.sources.rows import SourceError

COLUMNS = {"sale_date": "day", "price": "price", "square_meters": "area", "property_type": "type", "location": "town"}
SEVERAL_TIMES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEED = {
    "name": "register", "kind": "sql", "url": "sqlite:///register.sqlite", "table": "deeds", "key": "id",
    "changed": "changed_at", "columns": COLUMNS,
}  # fmt: skip


class Register:
    """A register in SQLite, whose deeds are entered and corrected day by day."""

    def __init__(self, more=""):
        self.connection = sqlite3.connect("register.sqlite", isolation_level=None)
        self.connection.execute("drop table if exists deeds")
        columns = f"id integer primary key, day, price, area, type, town, changed_at{more}"
        self.connection.execute(f"create table deeds ({columns})")

    def enter(self, number, price, changed, **more):
        cells = (number, "2024-01-01", price, 50, "flat", "East", changed, *more.values())
        marks = ", ".join("?" * len(cells))
        self.connection.execute(f"insert or replace into deeds values ({marks})", cells)


@pytest.fixture
def register(source_of):
    """An empty register in the current folder, which is an empty project."""
    found = Register()
    yield found
    found.connection.close()


@pytest.fixture
def town(source_of):
    """Builds the source whose sales are the register's, as of a day."""
    return lambda as_of="2024-12-31", **parts: source_of({**FEED, **parts}, as_of=as_of)


def landing_of(source, again=False):
    """Lands the source's only feed: its folder, and the counts."""
    feed = source.sales[0]
    return folder_of(source, "sales", feed), land(source, "sales", feed, again)


def records(folder):
    return lake.read_arrow(folder / "records.parquet").to_pandas().set_index("_key")


def test_the_first_time_all_is_read_and_later_only_what_is_new(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-02-05")
    _, counts = landing_of(town("2024-02-29"))
    assert counts == (2, 2, 0)
    # Were it read again, this would be found: it says to have changed long ago.
    register.enter(1, 111, "2024-01-05")
    register.enter(3, 300, "2024-03-01")
    folder, counts = landing_of(town("2024-03-31"))
    assert counts == (3, 1, 0)
    assert records(folder)["price"].tolist() == ["100", "200", "300"]
    assert lake.read_json(folder / "landed.json")["watermark"] == "2024-03-01T00:00:00+00:00"


def test_what_changed_after_as_of_is_left_for_a_later_day(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-06-01T00:00:01Z")
    _, counts = landing_of(town("2024-05-31"))
    assert counts.records == 1
    _, counts = landing_of(town("2024-06-01"))
    assert counts == (2, 1, 0)


def test_a_record_that_comes_late_is_found_within_the_overlap(register, town):
    register.enter(2, 200, "2024-02-05")
    landing_of(town("2024-02-28", overlap_days=3))
    register.enter(1, 100, "2024-02-03")
    _, counts = landing_of(town("2024-02-29", overlap_days=3))
    assert counts == (2, 1, 0)


def test_a_corrected_record_wins_and_the_earlier_one_is_in_the_archive(register, town):
    register.enter(1, 100, "2024-01-05")
    landing_of(town("2024-01-31"))
    register.enter(1, 150, "2024-02-02")
    source = town("2024-02-29")
    folder, counts = landing_of(source)
    assert counts == (1, 0, 1)
    assert records(folder)["price"].tolist() == ["150"]
    (kept,) = lake.read_arrow(archive_of(source, "sales", source.sales[0]) / "2024-02-29.parquet").to_pylist()
    assert (kept["_key"], kept["price"], kept["changed_at"]) == ("1", "100", "2024-01-05")


def test_a_landing_that_is_read_anew_is_kept_among_the_backups(register, town):
    register.enter(1, 100, "2024-01-05")
    source = town("2024-01-31")
    folder, _ = landing_of(source)
    before = lake.digest(folder)
    register.connection.execute("delete from deeds")
    register.enter(2, 200, "2024-01-06")
    landing_of(source, again=True)
    assert records(folder)["id"].tolist() == ["2"]
    (backup,) = backups_of(source, "sales", source.sales[0]).iterdir()
    assert backup.name == f"2024-01-31-{before[:12]}"
    assert lake.digest(backup) == before


@pytest.mark.parametrize("step", [1, 2])
def test_a_run_that_stops_amid_the_swap_is_repeated_without_a_trace(register, town, monkeypatch, step):
    register.enter(1, 100, "2024-01-05")
    landing_of(town("2024-01-31"))
    register.enter(1, 150, "2024-02-02")
    source = town("2024-02-29")
    steps, rename = iter(range(1, 9)), Path.rename

    def stop_at_step(path, target):
        if next(steps) == step:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop_at_step)
        with pytest.raises(KeyboardInterrupt):
            landing_of(source)
    _, counts = landing_of(source)
    assert counts == (1, 0, 1)
    archived = archive_of(source, "sales", source.sales[0]) / "2024-02-29.parquet"
    assert lake.read_arrow(archived).num_rows == 1


def test_going_back_in_time_asks_for_a_new_read(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-03-05")
    folder, _ = landing_of(town("2024-03-31"))
    before = lake.digest(folder)
    with pytest.raises(
        SourceError, match=r"read up to 2024-03-31, but source.as_of = 2024-01-31: `homei fetch town --again`"
    ):
        landing_of(town("2024-01-31"))
    assert lake.digest(folder) == before
    _, counts = landing_of(town("2024-01-31"), again=True)
    assert counts.records == 1


def test_ingest_refuses_a_landing_of_another_day(register, town):
    register.enter(1, 100, "2024-01-05")
    with pytest.raises(SourceError, match=r"feed register was never read: `homei fetch town` brings it"):
        ingest.run("transactions", town("2024-01-31"))
    landing_of(town("2024-01-31"))
    with pytest.raises(
        SourceError, match=r"was read up to 2024-01-31, but source.as_of = 2024-02-29: `homei fetch town`"
    ):
        ingest.run("transactions", town("2024-02-29"))
    ingest.run("transactions", town("2024-01-31"))
    raw = lake.read(lake.RAW["sales"])
    assert raw[["transaction_id", "price", "source_feed", "source_file", "source_line"]].to_numpy().tolist() == [
        ["1", "100", "register", "register", 1]
    ]


def test_a_new_column_is_kept_and_told(register, town, capsys):
    register.enter(1, 100, "2024-01-05")
    landing_of(town("2024-01-31"))
    register.connection.execute("alter table deeds add column heating")
    register.enter(2, 200, "2024-02-02", heating="gas")
    folder, _ = landing_of(town("2024-02-29"))
    assert records(folder)["heating"].tolist() == [None, "gas"]
    assert "feed register: has new columns, which are kept: heating" in capsys.readouterr().err


def test_a_column_that_is_gone_stops_with_its_name_and_leaves_the_landing(register, town):
    for number in range(1, 26):
        register.enter(number, 100, "2024-01-05")
    folder, _ = landing_of(town("2024-01-31"))
    before = lake.digest(folder)
    register.connection.execute("alter table deeds rename column price to amount")
    with pytest.raises(SourceError, match=r"feed register: has no column 'price' \(for price\); the nearest is"):
        landing_of(town("2024-02-29"), again=True)
    assert lake.digest(folder) == before


def test_a_record_without_its_key_stops(register, town):
    register.connection.execute("drop table deeds")
    register.connection.execute("create table deeds (id, day, price, area, type, town, changed_at)")
    register.enter(None, 100, "2024-01-05")
    with pytest.raises(SourceError, match="feed register: a record has no id, by which it is known"):
        landing_of(town())


def test_personal_columns_are_landed_as_keyed_hashes(source_of, town, monkeypatch):
    register = Register(more=", buyer, seller")
    register.enter(1, 100, "2024-01-05", buyer="Lovelace,  Ada", seller="Lovelace, Byron")
    register.enter(2, 200, "2024-01-05", buyer="lovelace, ada", seller="Analytical Engines Ltd")
    columns = {**COLUMNS, "buyer": "buyer", "seller_family": "seller_family"}
    source = town(personal=["buyer", "seller"], family_names=["buyer", "seller"], columns=columns)
    monkeypatch.delenv("HOMEI_PSEUDONYM_KEY", raising=False)
    with pytest.raises(
        SourceError, match="feed register: personal: the environment variable HOMEI_PSEUDONYM_KEY is not set"
    ):
        landing_of(source)
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "one")
    folder, _ = landing_of(source)
    landed = records(folder)
    assert landed["buyer"].iloc[0] == landed["buyer"].iloc[1]
    assert landed["buyer_family"].iloc[0] == landed["seller_family"].iloc[0]
    assert landed["seller_family"].iloc[1] is None
    assert b"ovelace" not in (folder / "records.parquet").read_bytes()
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "another")
    folder, _ = landing_of(source, again=True)
    assert records(folder)["buyer"].iloc[0] != landed["buyer"].iloc[0]


days = st.integers(1, 28)


@SEVERAL_TIMES
@given(
    st.lists(st.tuples(days, st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=15), st.sets(days, max_size=4)
)
def test_reading_all_anew_leaves_the_bytes_of_the_increments(source_of, changes, stops):
    """Deeds are entered and corrected on days of January; the source is read on some of them, and at the end."""
    register = Register()
    feed = {**FEED, "url": f"sqlite:///{Path('register.sqlite').resolve()}"}
    with tempfile.TemporaryDirectory() as folder:
        waiting = sorted(changes)
        for stop in [*sorted(stops), 31]:
            while waiting and waiting[0][0] <= stop:
                day, number, price = waiting.pop(0)
                register.enter(number, price, f"2024-01-{day:02d}")
            source = source_of(feed, as_of=f"2024-01-{stop:02d}", folder=folder)
            landing, _ = landing_of(source)
        increments = lake.digest(landing)
        landing_of(source, again=True)
        assert lake.digest(landing) == increments
    register.connection.close()
