"""Landings of incremental feeds: only changes are read, nothing is lost or duplicated, and bytes are stable."""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homei.ingestion import ingest
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.landing import folder_of, land
from homei.storage import lake

ARCHIVE = lake.HISTORICAL / "town/sales/register"
COLUMNS = {"sale_date": "day", "price": "price", "square_meters": "area", "property_type": "type", "location": "town"}
FEW_EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEED = {
    "name": "register", "kind": "sql", "url": "sqlite:///register.sqlite", "table": "deeds", "key": "id",
    "changed": "changed_at", "columns": COLUMNS,
}  # fmt: skip


class Register:
    """A SQLite register in which deeds are entered and corrected."""

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
    """An empty register in an empty project."""
    register = Register()
    yield register
    register.connection.close()


@pytest.fixture
def town(source_of):
    """Builds a source with the register as its only feed."""
    return lambda as_of="2024-12-31", **parts: source_of({**FEED, **parts}, as_of=as_of)


def land_sales(source, again=False):
    """Lands the source's only feed and returns the landing's folder and the counts."""
    feed = source.feeds.sales[0]
    return folder_of(source.city, "sales", feed), land(source.city, "sales", feed, again)


def records(folder):
    return lake.read_arrow(folder / "records.parquet").to_pandas().set_index("_key")


def test_the_first_fetch_reads_all_records_and_a_later_one_only_changes(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-02-05")
    _, counts = land_sales(town("2024-02-29"))
    assert counts == (2, 2, 0, 0)
    # Its time of change is long past, so a fetch of changes does not read it.
    register.enter(1, 111, "2024-01-05")
    register.enter(3, 300, "2024-03-01")
    folder, counts = land_sales(town("2024-03-31"))
    assert counts == (3, 1, 0, 0)
    assert records(folder)["price"].tolist() == ["100", "200", "300"]
    assert lake.read_json(folder / "landed.json")["watermark"] == "2024-03-01T00:00:00+00:00"


def test_a_change_after_as_of_is_left_for_a_later_day(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-06-01T00:00:01Z")
    _, counts = land_sales(town("2024-05-31"))
    assert counts.records == 1
    _, counts = land_sales(town("2024-06-01"))
    assert counts == (2, 1, 0, 0)


def test_a_late_record_is_read_within_the_overlap(register, town):
    register.enter(2, 200, "2024-02-05")
    land_sales(town("2024-02-28", overlap_days=3))
    register.enter(1, 100, "2024-02-03")
    _, counts = land_sales(town("2024-02-29", overlap_days=3))
    assert counts == (2, 1, 0, 0)


def test_a_corrected_record_replaces_the_earlier_version_which_is_archived(register, town):
    register.enter(1, 100, "2024-01-05")
    land_sales(town("2024-01-31"))
    register.enter(1, 150, "2024-02-02")
    source = town("2024-02-29")
    folder, counts = land_sales(source)
    assert counts == (1, 0, 1, 0)
    assert records(folder)["price"].tolist() == ["150"]
    (archived,) = lake.read_arrow(ARCHIVE / "2024-02-29.parquet").to_pylist()
    assert (archived["_key"], archived["price"], archived["changed_at"]) == ("1", "100", "2024-01-05")


def test_a_landing_is_backed_up_before_it_is_read_again(register, town):
    register.enter(1, 100, "2024-01-05")
    source = town("2024-01-31")
    folder, _ = land_sales(source)
    before = lake.digest(folder)
    register.connection.execute("delete from deeds")
    register.enter(2, 200, "2024-01-06")
    land_sales(source, again=True)
    assert records(folder)["id"].tolist() == ["2"]
    (backup,) = (lake.BACKUPS / "town/sales/register").iterdir()
    assert backup.name == f"2024-01-31-{before[:12]}"
    assert lake.digest(backup) == before


@pytest.mark.parametrize("step", [1, 2])
def test_a_fetch_stopped_while_replacing_the_landing_can_be_repeated(register, town, monkeypatch, step):
    register.enter(1, 100, "2024-01-05")
    land_sales(town("2024-01-31"))
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
            land_sales(source)
    _, counts = land_sales(source)
    assert counts == (1, 0, 1, 0)
    archived = ARCHIVE / "2024-02-29.parquet"
    assert lake.read_arrow(archived).num_rows == 1


def test_a_record_that_is_absent_from_a_complete_reading_is_deleted(register, town):
    for number in (1, 2):
        register.enter(number, 100, None)
    town_on = lambda as_of: town(as_of, changed=None)  # noqa: E731
    land_sales(town_on("2024-01-31"))
    register.connection.execute("delete from deeds where id = 1")
    _, counts = land_sales(town_on("2024-02-29"))
    assert counts == (2, 0, 0, 1)
    assert land_sales(town_on("2024-03-31"))[1] == (2, 0, 0, 0)
    raw = ingest.records(town_on("2024-03-31"), "sales").to_pandas()
    assert raw["source_deleted"].tolist() == ["absent from the feed since 2024-02-29", None]
    register.enter(1, 100, None)
    assert land_sales(town_on("2024-04-30"))[1] == (2, 0, 1, 0)
    assert "source_deleted" not in ingest.records(town_on("2024-04-30"), "sales").column_names


def test_marks_of_deleted_records_are_removed_where_absent_ones_are_kept(register, town):
    for number in (1, 2):
        register.enter(number, 100, None)
    land_sales(town("2024-01-31", changed=None))
    register.connection.execute("delete from deeds where id = 1")
    land_sales(town("2024-02-29", changed=None))
    source = town("2024-02-29", changed=None, absent="kept")
    assert land_sales(source)[1] == (2, 0, 0, 0)
    assert "source_deleted" not in ingest.records(source, "sales").column_names


def test_a_deleted_listing_is_closed(register, source_of):
    listings = {**FEED, "changed": None, "columns": {"listing_id": "id", "listed_on": "day", "location": "town"}}
    for number in (1, 2):
        register.enter(number, 100, None)
    for as_of in ("2024-01-31", "2024-02-29"):
        source = source_of(listings=listings, as_of=as_of)
        land(source.city, "listings", source.feeds.listings[0])
        register.connection.execute("delete from deeds where id = 1")
    assert ingest.records(source, "listings")["closed_on"].to_pylist() == ["2024-02-29", None]


def test_a_reading_of_changes_deletes_nothing_and_neither_does_a_feed_that_sends_a_part(register, town):
    for changed, absent in (("changed_at", "deleted"), (None, "kept")):
        for number in (1, 2):
            register.enter(number, 100, "2024-01-05")
        land_sales(town("2024-01-31", changed=changed, absent=absent), again=True)
        register.connection.execute("delete from deeds where id = 1")
        assert land_sales(town("2024-02-29", changed=changed, absent=absent))[1].deleted == 0


def test_a_reading_without_most_records_is_an_error_and_leaves_the_landing_as_it_was(register, town):
    for number in range(40):
        register.enter(number, 100, None)
    folder, _ = land_sales(town("2024-01-31", changed=None))
    before = lake.digest(folder)
    register.connection.execute("delete from deeds where id > 10")
    with pytest.raises(SourceError, match=r"29 of 40 landed records are absent.*`homei fetch town --again`"):
        land_sales(town("2024-02-29", changed=None))
    assert lake.digest(folder) == before


def test_an_earlier_as_of_needs_a_full_read(register, town):
    register.enter(1, 100, "2024-01-05")
    register.enter(2, 200, "2024-03-05")
    folder, _ = land_sales(town("2024-03-31"))
    before = lake.digest(folder)
    with pytest.raises(
        SourceError, match=r"read up to 2024-03-31, but city.as_of = 2024-01-31: run `homei fetch town --again`"
    ):
        land_sales(town("2024-01-31"))
    assert lake.digest(folder) == before
    _, counts = land_sales(town("2024-01-31"), again=True)
    assert counts.records == 1


def test_ingest_needs_a_landing_of_the_same_day(register, town):
    register.enter(1, 100, "2024-01-05")
    with pytest.raises(SourceError, match=r"feed register was never fetched: run `homei fetch town`"):
        ingest.run("sales", *town("2024-01-31")[:2])
    land_sales(town("2024-01-31"))
    with pytest.raises(
        SourceError, match=r"was read up to 2024-01-31, but city.as_of = 2024-02-29: run `homei fetch town`"
    ):
        ingest.run("sales", *town("2024-02-29")[:2])
    ingest.run("sales", *town("2024-01-31")[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw[["transaction_id", "price", "source_feed", "source_file", "source_line"]].to_numpy().tolist() == [
        ["1", "100", "register", "register", 1]
    ]


def test_a_new_column_is_stored_and_reported(register, town, capsys):
    register.enter(1, 100, "2024-01-05")
    land_sales(town("2024-01-31"))
    register.connection.execute("alter table deeds add column heating")
    register.enter(2, 200, "2024-02-02", heating="gas")
    folder, _ = land_sales(town("2024-02-29"))
    assert records(folder)["heating"].tolist() == [None, "gas"]
    assert "feed register: has new columns, which are stored: heating" in capsys.readouterr().err


def test_a_missing_column_is_an_error_and_leaves_the_landing_as_it_was(register, town):
    for number in range(1, 26):
        register.enter(number, 100, "2024-01-05")
    folder, _ = land_sales(town("2024-01-31"))
    before = lake.digest(folder)
    register.connection.execute("alter table deeds rename column price to amount")
    with pytest.raises(SourceError, match=r"feed register: has no column 'price' \(for price\)"):
        land_sales(town("2024-02-29"), again=True)
    assert lake.digest(folder) == before


def test_a_record_without_key_is_an_error(register, town):
    register.connection.execute("drop table deeds")
    register.connection.execute("create table deeds (id, day, price, area, type, town, changed_at)")
    register.enter(None, 100, "2024-01-05")
    with pytest.raises(SourceError, match="feed register: a record has no id: declare a key"):
        land_sales(town())


def test_a_key_that_has_lost_digits_is_an_error(register, town):
    register.connection.execute("create table wide as select 1.4082123456789e19 as id, * from deeds where 0")
    register.connection.execute("insert into wide (id) values (1.4082123456789e19)")
    with pytest.raises(SourceError, match=r"key = 1\.4082123456789e\+19 is a rounded number"):
        land_sales(town(table="wide", changed=None))


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
        land_sales(source)
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "one")
    folder, _ = land_sales(source)
    landed = records(folder)
    assert landed["buyer"].iloc[0] == landed["buyer"].iloc[1]
    assert landed["buyer_family"].iloc[0] == landed["seller_family"].iloc[0]
    assert landed["seller_family"].iloc[1] is None
    assert b"ovelace" not in (folder / "records.parquet").read_bytes()
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "another")
    folder, _ = land_sales(source, again=True)
    assert records(folder)["buyer"].iloc[0] != landed["buyer"].iloc[0]


days = st.integers(1, 28)


@FEW_EXAMPLES
@given(
    st.lists(st.tuples(days, st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=15), st.sets(days, max_size=4)
)
def test_a_full_read_gives_the_same_bytes_as_increments(source_of, changes, stops):
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
            landing, _ = land_sales(source)
        increments = lake.digest(landing)
        land_sales(source, again=True)
        assert lake.digest(landing) == increments
    register.connection.close()
