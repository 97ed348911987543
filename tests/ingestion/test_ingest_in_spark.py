"""The stage `ingest` in Spark gives the records of a run in the workspace, however its tasks divide the files."""

import gzip
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homei.config import params
from homei.ingestion import file_parts_in_spark, ingest
from homei.ingestion.connectors import files
from homei.ingestion.connectors.csv_ranges import csv_ranges, read_range
from homei.ingestion.connectors.sheet import as_sheet
from homei.storage import lake, spark_tables
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


@pytest.mark.slow
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
