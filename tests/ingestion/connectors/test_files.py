"""Feeds from files: cells as text, each row with the line where it begins."""

import csv
import gzip
import io
import zipfile
from datetime import date, datetime

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homei.config.feeds import FileFormat
from homei.ingestion.connectors import csv_reader
from homei.ingestion.connectors.files import read, sheets
from homei.ingestion.connectors.text_rows import SourceError, UnreadableError, text

NOON = datetime.fromisoformat("2024-03-15T12:00:00")


def read_text(tmp_path, content, name="sales.csv", encoding="utf-8", **reading):
    path = tmp_path / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return read(path, FileFormat(**reading))


def rows_of(sheet):
    return [list(row.values()) for row in sheet.cells.to_pylist()]


def test_cells_are_text_and_empty_ones_are_null(tmp_path):
    sheet = read_text(tmp_path, "price,town\n007,\n1e3,NA\n")
    assert rows_of(sheet) == [["007", None], ["1e3", "NA"]]
    assert sheet.lines.tolist() == [2, 3]


def test_lines_are_correct_after_blank_lines_and_cells_that_span_lines(tmp_path):
    sheet = read_text(tmp_path, '\nprice,town\n\n1,"a\nb"\n\n\n2,c\n,\n3,d\n')
    assert sheet.cells["price"].to_pylist() == ["1", "2", "3"]
    assert sheet.lines.tolist() == [4, 8, 10]


def test_windows_line_ends_and_a_byte_order_mark_are_removed(tmp_path):
    sheet = read_text(tmp_path, b"\xef\xbb\xbfprice;town\r\n1;a\r\n\r\n2;b\r\n", delimiter=";")
    assert sheet.cells.column_names == ["price", "town"]
    assert rows_of(sheet) == [["1", "a"], ["2", "b"]]
    assert sheet.lines.tolist() == [2, 4]


def test_a_gzip_file_is_unpacked_with_any_name(tmp_path):
    for name in ("sales.csv.gz", "sales.csv"):
        assert rows_of(read_text(tmp_path, gzip.compress(b"price\n1\n"), name)) == [["1"]]


def test_a_declared_encoding_is_used(tmp_path):
    sheet = read_text(tmp_path, "town\nOrléans\n", encoding="latin-1")
    assert sheet.faults.to_pylist() == ["row: bytes that are not utf-8-sig"]
    path = tmp_path / "sales.csv"
    assert rows_of(read(path, FileFormat(encoding="latin-1"))) == [["Orléans"]]


def test_a_row_with_too_few_or_too_many_cells_has_a_fault(tmp_path):
    sheet = read_text(tmp_path, "price,town\n1\n2,b,c\n3,d,,\n")
    assert sheet.faults.to_pylist() == [
        "row: 1 cells where the header has 2",
        "row: 3 cells where the header has 2",
        None,
    ]
    assert rows_of(sheet) == [["1", None], ["2", "b"], ["3", "d"]]


def test_a_missing_quotation_mark_is_an_error_that_names_the_line(tmp_path):
    with pytest.raises(SourceError, match=r"sales\.csv, line 2: field larger .* quotation mark"):
        read_text(tmp_path, 'price,town\n1,"' + "x\n" * 100_000)


def test_json_lines_have_the_keys_of_all_objects(tmp_path):
    content = (
        '{"price": 1.0, "town": "a"}\n\n{"town": "b", "sold": true, "tags": ["x"]}\nnot json\n[1]\n{"price": NaN}\n'
    )
    sheet = read_text(tmp_path, content, "sales.jsonl")
    assert sheet.cells.column_names == ["price", "town", "sold", "tags"]
    assert rows_of(sheet)[:2] == [["1", "a", None, None], [None, "b", "true", '["x"]']]
    assert sheet.lines.tolist() == [1, 3, 4, 5]
    assert sheet.faults.to_pylist() == [None, None, "row: not a JSON object", "row: not a JSON object"]


def test_json_lines_in_another_encoding_have_a_fault(tmp_path):
    sheet = read_text(tmp_path, '{"town": "Orléans"}\n{"town": "Paris"}\n', "sales.jsonl", encoding="latin-1")
    assert sheet.faults.to_pylist() == ["row: bytes that are not utf-8-sig", None]


def test_a_lone_surrogate_becomes_text_that_can_be_stored(tmp_path):
    sheet = read_text(tmp_path, '{"town": "a\\ud800"}\n', "sales.jsonl")
    assert rows_of(sheet) == [["a\\ud800"]]


def test_excel_cells_are_text_with_their_row_number(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("sales")
    sheet.append(["price", "date", "area", "town", "new"])
    sheet.append([250000, NOON.replace(hour=0), 70.5, "a", True])
    sheet.append([])
    sheet.append([1.0, NOON, 0, "b", False])
    book.save(tmp_path / "sales.xlsx")
    read_rows = read(tmp_path / "sales.xlsx", FileFormat(sheet="sales"))
    assert rows_of(read_rows) == [
        ["250000", "2024-03-15", "70.5", "a", "true"],
        ["1", "2024-03-15T12:00:00", "0", "b", "false"],
    ]
    assert read_rows.lines.tolist() == [2, 4]
    with pytest.raises(SourceError, match="has no sheet 'prices', only notes, sales"):
        read(tmp_path / "sales.xlsx", FileFormat(sheet="prices"))


def test_rows_lie_between_the_declared_header_and_footer(tmp_path):
    content = "Partner Ltd;;\nReport of May;;\n\ntown;price;\na;1;\nb;2;\n\ntotal;3;\nprinted by;me;\n"
    sheet = read_text(tmp_path, content, delimiter=";", header=4, footer="Total")
    assert sheet.cells.column_names == ["town", "price", ""]
    assert rows_of(sheet) == [["a", "1", None], ["b", "2", None]]
    assert sheet.lines.tolist() == [5, 6]


def test_column_names_below_a_merged_cell_include_its_text(tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    for row in (
        ["Partner Ltd"],
        [],
        ["Id", "Home", None, None, "Sale", None, "Remarks"],
        [None, "Town", "Area", "Rooms", "Date", "Price", None],
        ["x1", "a", 70.5, 3, 45366, 250000, "as agreed"],
    ):
        page.append(row)
    for merged in ("A3:A4", "B3:D3", "E3:F3", "G3:G4"):
        page.merge_cells(merged)
    book.save(tmp_path / "sales.xlsx")
    sheet = read(tmp_path / "sales.xlsx", FileFormat(header=3, header_lines=2))
    assert sheet.cells.column_names == [
        "Id",
        "Home Town",
        "Home Area",
        "Home Rooms",
        "Sale Date",
        "Sale Price",
        "Remarks",
    ]
    assert rows_of(sheet) == [["x1", "a", "70.5", "3", "45366", "250000", "as agreed"]]
    assert sheet.lines.tolist() == [5]


def test_several_sheets_are_parts_of_one_workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    for year in ("2023", "2024"):
        page = book.create_sheet(year)
        page.append(["price", f"of {year}"])
        page.append([int(year), None])
    book.save(tmp_path / "sales.xlsx")
    parts = sheets(tmp_path / "sales.xlsx", FileFormat(sheet="20*"))
    assert [(sheet.part, sheet.name) for sheet in parts] == [("#2023", "sales.xlsx#2023"), ("#2024", "sales.xlsx#2024")]
    assert [rows_of(sheet) for sheet in parts] == [[["2023", None]], [["2024", None]]]
    with pytest.raises(SourceError, match="has several parts, #2023, #2024: name one"):
        read(tmp_path / "sales.xlsx", FileFormat(sheet="20*"))
    with pytest.raises(SourceError, match=r"has no sheet '19\*', only notes, 2023, 2024"):
        sheets(tmp_path / "sales.xlsx", FileFormat(sheet="19*"))


def test_a_zip_holds_files_of_any_format(tmp_path):
    book = io.BytesIO()
    pd.DataFrame({"price": [1]}).to_excel(book, index=False)
    table = io.BytesIO()
    pd.DataFrame({"price": [2]}).to_parquet(table)
    with zipfile.ZipFile(tmp_path / "sales.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("b/sales.csv", "price\n3\n")
        packed.writestr("a.xlsx", book.getvalue())
        packed.writestr("b/sales.parquet", table.getvalue())
        packed.writestr("b/sales.csv.gz", gzip.compress(b"price\n4\n"))
        packed.writestr("c.jsonl", '{"price": 5}')
        packed.writestr("__MACOSX/b/._sales.csv", "litter")
        packed.writestr("b/.DS_Store", "litter")
    rows_by_part = {sheet.part: rows_of(sheet) for sheet in sheets(tmp_path / "sales.zip", FileFormat())}
    assert rows_by_part == {
        "/a.xlsx": [["1"]],
        "/b/sales.csv": [["3"]],
        "/b/sales.csv.gz": [["4"]],
        "/b/sales.parquet": [["2"]],
        "/c.jsonl": [["5"]],
    }


def test_parquet_cells_are_text(tmp_path):
    frame = pd.DataFrame(
        {"price": [250000.0, None], "date": pd.to_datetime(["2024-03-15", None]), "rooms": pd.array([3, None], "Int64")}
    )
    frame.to_parquet(tmp_path / "sales.parquet")
    assert rows_of(read(tmp_path / "sales.parquet", FileFormat())) == [["250000", "2024-03-15", "3"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sales.xlsx", b"no zip", "can't be read as excel"),
        ("sales.parquet", b"PAR1", "can't be read as parquet"),
        ("sales.csv.gz", gzip.compress(b"price\n" * 99)[:20], "can't be read as csv"),
        ("sales.csv", b"", "is empty"),
        ("sales.zip", b"PK", "can't be read as zip"),
        ("sales.csv", b"a,b,a\n", "has several columns named a"),
        ("sales.xls", b"", "unknown file format"),
    ],
)
def test_an_unreadable_file_is_an_error_that_names_it(tmp_path, name, content, message):
    with pytest.raises(SourceError, match=rf"{name}: .*{message}|{name}: {message}"):
        read_text(tmp_path, content, name)


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.xlsx", "sales.parquet", "sales.zip"])
def test_a_truncated_file_is_unreadable(tmp_path, name):
    frame, path = pd.DataFrame({"price": range(500)}), tmp_path / name
    if name.endswith("xlsx"):
        frame.to_excel(path, index=False)
    elif name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("zip"):
        frame.to_csv(path, index=False, compression={"method": "zip", "archive_name": "sales.csv"})
    else:
        frame.to_csv(path, index=False)
    whole = path.read_bytes()
    assert len(read(path, FileFormat()).cells) == 500
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UnreadableError, match=name):
            read(path, FileFormat())


def test_an_unknown_encoding_is_an_error(tmp_path):
    (tmp_path / "sales.csv").write_text("price\n1\n")
    with pytest.raises(SourceError, match="unknown encoding: klingon"):
        read(tmp_path / "sales.csv", FileFormat(encoding="klingon"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (float("inf"), "inf"),
        (float("nan"), None),
        (pd.NaT, None),
        (date(2024, 3, 1), "2024-03-01"),
        (b"abc", "abc"),
        ("", None),
    ],
)
def test_each_type_of_cell_has_one_text(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@given(st.text(st.sampled_from('ab1,,,"" \n\n\r\té\0'), max_size=60), st.sampled_from([",", "\t"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_parsed_by_arrow_equal_rows_parsed_by_the_csv_module(tmp_path, block, content, delimiter):
    path = tmp_path / "sales.csv"
    path.write_bytes(f"x{delimiter}y\n{content}".encode())
    results = []
    for footer in (None, "no such line"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_reader, "BLOCK_CHARACTERS", block)
            try:
                sheet = read(path, FileFormat(delimiter=delimiter, footer=footer))
                results.append((rows_of(sheet), sheet.lines.tolist(), sheet.faults.to_pylist()))
            except SourceError as error:
                results.append(str(error))
    assert results[0] == results[1]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(CELL, CELL), max_size=8))
def test_any_text_survives_a_csv_file(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "sales.csv"
    pd.DataFrame([("x", *row) for row in rows], columns=["mark", "a", "b"]).to_csv(
        path, index=False, quoting=csv.QUOTE_ALL
    )
    sheet = read(path, FileFormat(encoding="utf-8"))
    assert rows_of(sheet) == [["x", a or None, b or None] for a, b in rows]
