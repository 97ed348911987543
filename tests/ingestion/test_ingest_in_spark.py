"""The stage `ingest` in Spark gives the records of a run in the workspace, however its tasks divide the files."""

import gzip
import sqlite3
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homei.config import params
from homei.ingestion import file_parts_in_spark, ingest, ingest_in_spark
from homei.ingestion.connectors import files
from homei.ingestion.connectors.csv_ranges import csv_ranges, read_range
from homei.ingestion.connectors.sheet import as_sheet
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.landing import land
from homei.storage import lake, remote_files, snapshot_writer, spark_tables
from homei.storage.config import StorageConfig

COLUMNS = {"sale_date": "day", "price": "price", "location": "place", "address": {"template": "{street} {no}"}}
HEADER = "id,day,price,place,street,no\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files of every format, in parts of a few rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_parts_in_spark, "RANGE_BYTES", 400)
    monkeypatch.setattr(file_parts_in_spark, "ROWS_A_PART", 8)
    data = tmp_path / "data"
    data.mkdir()
    return data


def csv_rows(start, count):
    cells = ('"The\nHill"', "East", '"North, by the ""Old"" mill"', "")
    return "".join(
        f"T{n},2024-05-{1 + n % 28:02},{n}00,{cells[n % 4]},High Street,{n}\n" for n in range(start, start + count)
    )


def source_of(*feeds, **tables):
    city = {
        "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
        "coordinates": {"origin": [48.1, 11.5]},
    }  # fmt: skip
    return params.source({"city": city, "feeds": {"sales": list(feeds), **tables}, "contract": {}})


def feed(name, *patterns, **given):
    columns = {"transaction_id": "id", **COLUMNS}
    return {"kind": "files", "name": name, "files": list(patterns), "columns": columns, **given}


def rows_of(table, files):
    rows = table.to_pandas()
    position = [files.index(file) for file in zip(rows["source_feed"], rows["source_file"], strict=True)]
    rows = rows.assign(at=position).sort_values(["at", "source_line"]).drop(columns="at")
    return rows.astype(object).where(rows.notna(), None).to_dict("records")


@pytest.fixture
def assert_agree(spark, local_spark, folder, tmp_path):
    """Compares the records that a table of a source has in an external lake and in the workspace, and returns them."""
    storage = StorageConfig(uri=(tmp_path / "lake").as_uri(), uri_env=None, encryption=None)

    def compare(source, table="sales"):
        ingest.run(table, source.city, source.feeds, storage, local_spark)
        in_spark, workspace = spark_tables.read(spark, lake.RAW[table]), ingest.records(source, table)
        assert in_spark.columns == workspace.column_names
        expected = workspace.to_pandas()
        expected = expected.astype(object).where(expected.notna(), None).to_dict("records")
        names = [tuple(name) for name in lake.read_json(lake.RAW[table] / lake.RAW_FILES)]
        assert rows_of(in_spark.toArrow(), names) == expected
        return expected

    return compare


@pytest.fixture
def workers_elsewhere(folder, monkeypatch):
    """Lets tasks run as on a cluster: while they do, the folder of files is not there."""

    def written_files(tasks):
        away = folder.rename(folder.with_name("away"))
        try:
            return snapshot_writer.written_files(tasks)
        finally:
            away.rename(folder)

    monkeypatch.setattr(ingest_in_spark, "is_local", lambda spark: False)
    monkeypatch.setattr(ingest_in_spark, "written_files", written_files)


@pytest.fixture(params=["a shared folder", "copies in the lake"])
def place(request):
    """Where tasks read files."""
    if request.param == "copies in the lake":
        request.getfixturevalue("workers_elsewhere")


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_spark_and_workspace_agree_on_files_of_every_format(folder, assert_agree):
    (folder / "a.csv").write_text(HEADER + csv_rows(0, 40) + "T40,too few cells\n")
    (folder / "b.csv").write_text("\ufeff" + HEADER + csv_rows(40, 3), encoding="utf-8")
    (folder / "c.csv.gz").write_bytes(gzip.compress((HEADER + csv_rows(43, 12)).encode()))
    (folder / "d.csv.gz").write_bytes(gzip.compress((HEADER + csv_rows(43, 12)).encode())[:-9])
    with zipfile.ZipFile(folder / "e.zip", "w") as archive:
        for month in "21":
            archive.writestr(f"{month}.csv", HEADER + csv_rows(60, 7))
    book = openpyxl.Workbook()
    for title in ("west", "east"):
        sheet = book.create_sheet(title)
        for row in ([*HEADER.strip().split(",")], ["W1", "2024-05-01", 250000.5, title, "Low Street", 3]):
            sheet.append(row)
    book.save(folder / "f.xlsx")
    (folder / "g.jsonl").write_text(
        '{"id": 7, "day": "2024-01-01", "price": 1.5, "place": "x", "street": "y", "no": 1}\n'
    )
    (folder / "empty.csv").write_text(HEADER)
    numbers = {"id": range(30), "price": [n / 4 for n in range(30)], "day": ["2024-01-01"] * 30}
    texts = {name: [f"{name} {n}" if n % 7 else None for n in range(30)] for name in ("place", "street", "no")}
    pq.write_table(
        pa.table({name: pa.array(cells) for name, cells in {**numbers, **texts}.items()}),
        folder / "h.parquet",
        row_group_size=4,
    )
    source = source_of(
        feed("register", "*.csv", "*.gz", "e.zip", exclude={"place": ["East"]}),
        feed("others", "f.xlsx", "g.jsonl", "h.parquet", sheet="*st", deed="no"),
    )
    names = ("a.csv", "h.parquet", "c.csv.gz")
    n_parts = [len(file_parts_in_spark.file_parts(0, folder / name, source.feeds.sales[0])) for name in names]
    assert n_parts == [5, 4, 1]
    records = assert_agree(source)
    assert [row["source_fault"] for row in records if row["source_line"] == 0] == [
        "file: data/d.csv.gz: can't be read as csv (Compressed file ended before the end-of-stream marker was reached)"
    ]
    assert len(records) > 100


def test_contents_without_ids_are_numbered_in_the_order_of_their_files(folder, assert_agree):
    (folder / "a.csv").write_text(HEADER + csv_rows(0, 5) + csv_rows(0, 5))
    (folder / "b.csv").write_text(HEADER + csv_rows(2, 5))
    ids = [row["transaction_id"] for row in assert_agree(source_of(feed("main", "*.csv", columns=COLUMNS)))]
    assert sum(name.endswith("-2") for name in ids) == 5
    assert sum(name.endswith("-3") for name in ids) == 3


def test_a_file_that_is_open_elsewhere_is_left_for_the_next_run(folder, assert_agree, workers_elsewhere):
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(HEADER + csv_rows(0, 3))
    (folder / ".~lock.b.csv#").write_text("")
    records = assert_agree(source_of(feed("main", "*.csv")))
    assert [row["source_fault"] for row in records] == [None] * 3 + ["file: data/b.csv: is open in another program"]


def test_personal_data_is_pseudonymised_by_tasks_and_its_copies_are_removed(
    folder, assert_agree, workers_elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "test")
    sellers = [
        f"{row},{seller}\n"
        for row, seller in zip(
            csv_rows(0, 8).replace('"The\nHill"', "Hill").splitlines(),
            ["Lovelace, Ada"] * 4 + ["Hill Ltd"] * 3 + [""],
            strict=True,
        )
    ]
    header = HEADER.strip() + ",seller\n"
    (folder / "a.csv").write_text(header + "".join(row.replace("Lovelace, Ada", '"Lovelace, Ada"') for row in sellers))
    (folder / "b.csv").write_text(HEADER + csv_rows(20, 2))
    columns = {"transaction_id": "id", **COLUMNS, "seller": "seller", "seller_family": "seller_family"}
    named = feed("register", "a.csv", columns=columns, personal=["seller"], family_names=["seller"])
    records = assert_agree(source_of(named, feed("others", "b.csv")))
    assert len({row["seller"] for row in records[:7]}) == 2
    assert all(len(row["seller"]) == 32 for row in records[:7])
    contents = [remote_files.read_bytes(file.uri) for file in remote_files.find((tmp_path / "lake").as_uri())]
    assert not [content for content in contents if b"Lovelace" in content]
    assert (HEADER + csv_rows(20, 2)).encode() in contents


@pytest.mark.usefixtures("place")
def test_landed_records_are_read_in_parts_with_their_deletions(folder, assert_agree):
    register = sqlite3.connect("register.sqlite", isolation_level=None)
    register.execute("create table deeds (id, day, price, place, street, no)")
    rows = [(f"T{n:02}", "2024-05-01", 100 * n, "East", "High Street", n) for n in range(30)]
    register.executemany("insert into deeds values (?, ?, ?, ?, ?, ?)", rows)
    (folder / "a.csv").write_text(HEADER + csv_rows(0, 3))
    database = {
        "kind": "sql", "name": "register", "url": "sqlite:///register.sqlite", "table": "deeds", "key": "id",
        "columns": COLUMNS,
    }  # fmt: skip
    source = source_of(feed("main", "a.csv"), database)
    land(source.city, "sales", source.feeds.sales[1])
    register.execute("delete from deeds where id = 'T07'")
    land(source.city, "sales", source.feeds.sales[1])
    register.close()
    records = assert_agree(source)
    assert [row["transaction_id"] for row in records[3:]] == [f"register:T{n:02}" for n in range(30)]
    assert [row["transaction_id"] for row in records if row["source_deleted"]] == ["register:T07"]


@pytest.mark.usefixtures("place")
def test_an_error_of_a_task_is_that_of_a_run_in_the_workspace(folder, assert_agree):
    (folder / "a.csv").write_text(HEADER + 'T1,2024-05-01,100,"never closed,x,1\n' + csv_rows(1, 1))
    source, messages = source_of(feed("main", "a.csv")), []
    for read in (assert_agree, lambda source: ingest.records(source, "sales")):
        with pytest.raises(SourceError) as raised:
            read(source)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    assert "data/a.csv, line" in messages[0]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 90, 10_000])
def test_ranges_of_a_csv_file_hold_its_rows_and_lines(folder, end, size):
    path = folder / "a.csv"
    path.write_bytes((HEADER + csv_rows(0, 40)).replace("\n", end).encode())
    reading = source_of(feed("main", "a.csv")).feeds.sales[0]
    whole, ranges = files.read(path, reading), csv_ranges(path, reading, size)
    header, lines, cells = None, [], []
    for number, part in enumerate(ranges):
        rows = read_range(path, part, header if number else None, reading)
        header, sheet = rows.header, as_sheet(path, rows)
        lines, cells = [*lines, *sheet.lines], [*cells, *sheet.cells.to_pylist()]
    assert lines == [*whole.lines]
    assert cells == whole.cells.to_pylist()
    assert (len(ranges) > 5) == (size < 100)


def test_a_csv_file_with_stray_quotation_marks_is_read_as_a_whole(folder):
    (folder / "a.csv").write_text(HEADER + 'T1,2024-05-01,100,5" pipe,x,1\n' * 20)
    assert csv_ranges(folder / "a.csv", source_of(feed("main", "a.csv")).feeds.sales[0], 100) is None
