"""Feeds from files: cells as text, each row with the line where it begins."""

import csv
import gzip
import io
import json
import zipfile
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from homei.config.file_formats import FileFormat
from homei.ingestion.connectors import csv_reader
from homei.ingestion.connectors.files import read, sheets
from homei.ingestion.connectors.text_rows import SourceError, UnreadableError, text

NOT_UTF8 = "row: bytes that are not utf-8"
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
    assert sheet.faults.to_pylist() == [f"{NOT_UTF8}: declare the file's `encoding`, such as cp1252"]
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
    with pytest.raises(SourceError, match=r"sales\.csv, line 2: a quotation mark opens a cell that the file does not"):
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
    assert sheet.faults.to_pylist() == [f"{NOT_UTF8}: declare the file's `encoding`, such as cp1252", None]


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
        (1.31e13, "13100000000000"),
        (9007199254740993.0, "9.00719925474099e+15"),  # a float can't hold it: its last digits are lost
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


def test_a_file_without_a_line_of_column_names_declares_them(tmp_path):
    sheet = read_text(tmp_path, "1,a,\n2,b,\n", names=["price", "town"])
    assert sheet.cells.column_names == ["price", "town"]
    assert (rows_of(sheet), sheet.lines.tolist()) == ([["1", "a"], ["2", "b"]], [1, 2])
    with pytest.raises(SourceError, match=r"first line has 2 cells between ',', but `names` has 3"):
        read_text(tmp_path, "1,a\n", names=["id", "price", "town"])


def test_a_sheet_without_a_line_of_column_names_declares_them(tmp_path):
    pd.DataFrame([[1, "a"], [2, "b"]]).to_excel(tmp_path / "sales.xlsx", index=False, header=False)
    assert rows_of(read(tmp_path / "sales.xlsx", FileFormat(names=["price", "town"]))) == [["1", "a"], ["2", "b"]]
    with pytest.raises(SourceError, match="row 1 has more cells than the 1 of `names`: name all columns"):
        read(tmp_path / "sales.xlsx", FileFormat(names=["price"]))


def test_names_are_for_files_that_have_none(tmp_path):
    with pytest.raises(SourceError, match="`names` is for CSV and Excel files"):
        read_text(tmp_path, "{}", "sales.jsonl", names=["price"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    rows = [["price", "town, or part"], ["1,5", 'a; "b"'], ["2,5", "c | d"], ["3", ""]]
    path = tmp_path / "sales.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    sheet = read(path, FileFormat())
    assert [sheet.cells.column_names, *rows_of(sheet)] == [*rows[:3], ["3", None]]


def test_the_delimiter_of_a_file_with_titles_is_found_below_them(tmp_path):
    sheet = read_text(tmp_path, "Sales, by district, of May\n\nprice;town\n1,5;a\n", header=3)
    assert rows_of(sheet) == [["1,5", "a"]]


def test_tabs_separate_the_cells_of_a_tsv_file(tmp_path):
    assert rows_of(read_text(tmp_path, "price\ttown, part\n1\ta, b\n", "sales.tsv")) == [["1", "a, b"]]


def test_two_possible_delimiters_ask_for_a_declaration(tmp_path):
    with pytest.raises(SourceError, match=r"cells could end with .* declare `delimiter`"):
        read_text(tmp_path, "a;b,c;d\n1;2,3;4\n5;6,7;8\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    assert rows_of(read_text(tmp_path, "price;town\n1;Łąki\n", encoding=encoding)) == [["1", "Łąki"]]


def test_another_encoding_than_the_byte_order_mark_is_refused(tmp_path):
    (tmp_path / "sales.csv").write_bytes("price\n1\n".encode("utf-16"))
    with pytest.raises(SourceError, match=r"encoding = 'cp1252', but the file begins with .* utf-16: leave"):
        read(tmp_path / "sales.csv", FileFormat(encoding="cp1252"))
    (tmp_path / "sales.csv").write_bytes("price\n1\n".encode("utf-16-be"))
    with pytest.raises(SourceError, match="UTF-16 without a byte order mark: declare `encoding: utf-16-be`"):
        read(tmp_path / "sales.csv", FileFormat())
    assert rows_of(read(tmp_path / "sales.csv", FileFormat(encoding="utf-16-be"))) == [["1"]]


def test_only_the_row_with_undecodable_bytes_has_a_fault(tmp_path):
    sheet = read_text(tmp_path, b"price,town\n1,a\n2,Orl\xe9ans\n3,b\n")
    assert [fault and fault.startswith(NOT_UTF8) for fault in sheet.faults.to_pylist()] == [None, True, None]
    assert sheet.lines.tolist() == [2, 3, 4]


def test_a_cell_may_be_of_any_length(tmp_path):
    long = "POLYGON" + "1," * 100_000
    sheet = read_text(tmp_path, f'price,outline\n1,"{long}"\n2,"a\nb"\n')
    assert rows_of(sheet) == [["1", long], ["2", "a\nb"]]


def test_names_of_columns_ignore_blanks_line_breaks_and_unicode_forms(tmp_path):
    sheet = read_text(tmp_path, '" Fla\u0308che\n m²\u00a0",price\n1,2\n')
    assert sheet.cells.column_names == ["Fläche m²", "price"]


def test_columns_of_the_same_name_are_numbered_and_noted(tmp_path):
    sheet = read_text(tmp_path, "Agent,price,Agent,,\nx,1,y,,\n")
    assert sheet.cells.column_names == ["Agent (1)", "price", "Agent (2)", ""]
    assert sheet.repeated == {"Agent"}


def test_hidden_sheets_are_read_only_by_their_name(tmp_path, capsys):
    book = openpyxl.Workbook()
    book.active.title = "lists"
    for title in ("2023", "2024", "2024 old"):
        page = book.create_sheet(title)
        page.append(["price"])
        page.append([title])
    book["lists"].sheet_state = book["2024 old"].sheet_state = "hidden"
    book.active = book["2023"]
    book.save(tmp_path / "sales.xlsx")
    path = tmp_path / "sales.xlsx"
    assert rows_of(read(path, FileFormat())) == [["2023"]]
    assert "reading only sheet '2023', not 2024; `sheet` names others" in capsys.readouterr().err
    assert [sheet.part for sheet in sheets(path, FileFormat(sheet="20*"))] == ["#2023", "#2024"]
    assert rows_of(read(path, FileFormat(sheet="2024 old"))) == [["2024 old"]]
    with pytest.raises(SourceError, match=r"has no sheet 'x', only 2023, 2024, lists \(hidden\), 2024 old \(hidden\)"):
        read(path, FileFormat(sheet="x"))


def test_a_workbook_knows_from_which_year_its_serial_numbers_count(tmp_path):
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(["day"])
    book.active.append([date(2022, 7, 14)])
    book.save(tmp_path / "sales.xlsx")
    sheet = read(tmp_path / "sales.xlsx", FileFormat())
    assert (rows_of(sheet), sheet.first_year) == ([["2022-07-14"]], 1904)


@pytest.mark.parametrize(
    ("content", "reading", "lines"),
    [
        ('[\n {"price": 1, "at": {"town": "a"}},\n {"price": 2}\n]\n', {}, [2, 3]),
        ('{"data": {"rows": [{"price": 1, "at": {"town": "a"}}, {"price": 2}]}}', {"records_at": "data.rows"}, [1, 1]),
        ('{"price": 1, "at": {"town": "a"}}\r\n\r\n{"price": 2}', {}, [1, 3]),
    ],
)
def test_json_records_are_flat_wherever_they_are(tmp_path, content, reading, lines):
    sheet = read_text(tmp_path, content, "sales.json", **reading)
    assert sheet.cells.to_pylist() == [{"price": "1", "at.town": "a"}, {"price": "2", "at.town": None}]
    assert sheet.lines.tolist() == lines


def test_a_json_document_without_a_list_of_records_names_the_key(tmp_path):
    for content in ('{"type": "x",\n"features": []}', '{"features": [{"price": 1}]}'):
        with pytest.raises(SourceError, match=r"one JSON object.*`records_at: features`"):
            read_text(tmp_path, content, "sales.json")
    with pytest.raises(SourceError, match="has no list at records_at = 'rows': declare `records_at: features`"):
        read_text(tmp_path, '{"features": []}', "sales.json", records_at="rows")
    with pytest.raises(UnreadableError, match="can't be read as jsonl"):
        read_text(tmp_path, '[{"price": 1}', "sales.json")


def test_parquet_values_are_read_as_people_see_them(tmp_path):
    instants = pd.to_datetime(["2022-06-30T22:00Z", "2022-07-01T00:00Z"])
    table = pa.table(
        {
            "area": pa.array([84.1, None], pa.float32()),
            "price": pa.array([Decimal("350000.00"), Decimal("1E+3")], pa.decimal128(14, 2)),
            "kind": pa.array(["flat", None]).dictionary_encode(),
            "geo": pa.array([{"at": {"lat": 53.5}}, None]),
            "sold": pa.array(instants, pa.timestamp("ns", "Europe/Berlin")),
        }
    )
    pq.write_table(table, tmp_path / "sales.parquet")
    sheet = read(tmp_path / "sales.parquet", FileFormat())
    assert sheet.cells.column_names == ["area", "price", "kind", "geo.at.lat", "sold"]
    assert rows_of(sheet) == [
        ["84.1", "350000.00", "flat", "53.5", "2022-07-01T00:00:00+02:00"],
        [None, "1000.00", None, None, "2022-07-01T02:00:00+02:00"],
    ]


def test_a_line_that_names_the_delimiter_for_excel_is_no_row(tmp_path):
    sheet = read_text(tmp_path, "sep=;\r\nprice;town, part\r\n1,5;a\r\n")
    assert (sheet.cells.to_pylist(), sheet.lines.tolist()) == ([{"price": "1,5", "town, part": "a"}], [3])
    sheet = read_text(tmp_path, "sep=;\n1,5;a\n", names=["price", "town"])
    assert (rows_of(sheet), sheet.lines.tolist()) == ([["1,5", "a"]], [2])


def test_the_coordinates_of_a_point_in_geojson_have_a_path(tmp_path):
    point = {"type": "Feature", "geometry": {"coordinates": [13.4, 52.5]}, "properties": {"price": 1}}
    content = json.dumps({"type": "FeatureCollection", "features": [point]})
    sheet = read_text(tmp_path, content, "sales.geojson", records_at="features")
    assert sheet.cells["geometry.coordinates.0"].to_pylist() == ["13.4"]
    assert sheet.cells["geometry.coordinates.1"].to_pylist() == ["52.5"]


def test_a_zip_may_hold_other_files_besides(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "sales.zip", "w") as packed:
        for name in ("readme.pdf", "sales-2023.csv", "sales-2024.csv", "codes.csv"):
            packed.writestr(name, "price\n1\n")
    path = tmp_path / "sales.zip"
    assert len(sheets(path, FileFormat())) == 3
    assert "skipping readme.pdf" in capsys.readouterr().err
    assert [sheet.part for sheet in sheets(path, FileFormat(member="sales-*"))] == [
        "/sales-2023.csv",
        "/sales-2024.csv",
    ]
    with pytest.raises(SourceError, match=r"sales\.zip: has no member 'x\*', only codes\.csv, readme\.pdf"):
        sheets(path, FileFormat(member="x*"))


def test_damaged_rows_have_a_fault_and_the_others_are_read(tmp_path):
    def faults(content):
        return read_text(tmp_path, content).faults.to_pylist()

    damaged = "row: has NUL bytes: the file is damaged here"
    assert faults(b"id,town\n1,No\0rth\n2,South\n") == [damaged, None]
    assert faults(b'id,town\n1,North\n2,"Sou') == [None, "row: the file ends within a quoted cell"]
    broken = "id,town\n1,North\n2,So?th\n3,Łąka\n".encode("utf-16").replace("?".encode("utf-16-le"), b"\x00\xd8")
    assert faults(broken) == [None, "row: bytes that are not utf-16: the file is damaged here", None]
