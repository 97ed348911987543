"""A source's columns as canonical columns: taken, combined, looked up or constant."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from homei.config.columns import Column
from homei.config.file_formats import LookupFile
from homei.ingestion.connectors.files import Files
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.connectors.text_rows import SourceError, is_number, texts
from homei.ingestion.mapping import exclusions, lookup_of, mapped


def sheet(**columns):
    table = pa.table({name: texts(cells) for name, cells in columns.items()})
    faults = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    masks = {name: is_number(cells) for name, cells in columns.items()}
    return Sheet("sales.csv", "", table, np.arange(table.num_rows) + 2, faults, masks)


ADDRESSES = LookupFile(file="places.csv", key="address", template="{block} {street}")


def test_columns_templates_and_constants_are_mapped():
    rows = sheet(block=["1", "2"], street=["A", None], price=["10", "20"])
    table = mapped(
        rows,
        {
            "price": Column(column="price"),
            "property_id": Column(template="{block}%{street}"),
            "location": Column(constant="here"),
        },
    )
    assert [[*row.values()] for row in table.to_pylist()] == [["10", "1%A", "here"], ["20", "2%", "here"]]


def test_a_lookup_joins_by_key_and_the_first_of_two_rows_counts():
    addresses = sheet(address=["1 A", "1 A", "2 B"], lat=["1.0", "9.9", None])
    rows = sheet(block=["2", "1", "3", None], street=["B", "A", "C", "D"])
    table = mapped(rows, {"latitude": Column(lookup="lat")}, lookup_of(ADDRESSES, addresses))
    assert table["latitude"].to_pylist() == [None, "1.0", None, None]


def test_a_missing_optional_lookup_file_gives_nulls():
    table = mapped(sheet(price=["1"]), {"latitude": Column(lookup="lat")}, lookup_of(ADDRESSES, None))
    assert table["latitude"].to_pylist() == [None]


def test_an_error_names_every_missing_column_and_the_most_similar_one():
    rows = sheet(Price=["1"], street_name=["A"], area=["3"])
    with pytest.raises(SourceError) as error:
        mapped(rows, {"price": Column(column="price"), "property_id": Column(template="{street}")})
    assert str(error.value).splitlines() == [
        "sales.csv: has no column 'price' (for price); the most similar one is 'Price'",
        "sales.csv: has no column 'street' (for property_id); the most similar one is 'street_name'",
    ]


def test_an_error_names_the_column_that_a_lookup_file_lacks():
    with pytest.raises(
        SourceError, match=r"has no column 'address' \(for lookup.key\); the most similar one is 'adress'"
    ):
        lookup_of(ADDRESSES, sheet(adress=["1 A"], lat=["1"]))
    with pytest.raises(SourceError, match=r"places.csv: has no column 'lat' \(for latitude\)"):
        lookup = lookup_of(ADDRESSES, sheet(address=["1 A"], LAT=["1"]))
        mapped(sheet(block=["1"], street=["A"]), {"latitude": Column(lookup="lat")}, lookup)
    with pytest.raises(SourceError, match=r"latitude: needs a lookup file: declare one under lookup"):
        mapped(sheet(block=["1"]), {"latitude": Column(lookup="lat")})


def test_an_invalid_template_is_an_error():
    for template in ("{block", "fixed", "{}"):
        with pytest.raises(SourceError, match="template"):
            mapped(sheet(block=["1"]), {"location": Column(template=template)})


def test_a_typed_number_among_texts_is_written_in_the_columns_notation():
    rows = sheet(area=[84.5, "84,5", 84, None], price=[1.5, "1.5", None, "2"])
    table = mapped(rows, {"square_meters": Column(column="area", decimal=","), "price": Column(column="price")})
    assert table["square_meters"].to_pylist() == ["84,5", "84,5", "84", None]
    assert table["price"].to_pylist() == ["1.5", "1.5", None, "2"]


def test_an_empty_part_of_a_template_leaves_the_rest_of_the_key():
    rows = sheet(number=["12", None, None], unit=[None, "A", None], street=["Mill  Rd", "Mill  Rd", None])
    table = mapped(rows, {"address": Column(template="{unit} {number} {street}")})
    assert table["address"].to_pylist() == ["12 Mill Rd", "A Mill Rd", None]


def test_a_lookup_ignores_blanks_and_unicode_forms_and_counts_rows_without_a_match(capsys):
    addresses = sheet(address=["1 Mu\u0308hlweg"], lat=["1.0"])
    rows = sheet(block=["1", "1", "2"], street=["Mühlweg", " Mühlweg ", "Mühlweg"])
    table = mapped(rows, {"latitude": Column(lookup="lat")}, lookup_of(ADDRESSES, addresses))
    assert table["latitude"].to_pylist() == ["1.0", "1.0", None]
    assert "1 of 3 rows have no row in places.csv, by '{block} {street}'" in capsys.readouterr().err


def test_columns_of_a_template_may_have_any_name():
    rows = sheet(**{"Date: sold [d]": ["1"], "Straße": ["A"]})
    table = mapped(rows, {"address": Column(template="{Stra\u00dfe} {Date:  sold [d]}")})
    assert table["address"].to_pylist() == ["A 1"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Order;PID"], "became one name.*declare `delimiter: ';'`"),
        (["Report of May"], "only 'Report of May': check `header`, the line of the names"),
        (["350000", "2024-05-17 00:00", "Main St"], "looks like a row, .* 'price' are missing: declare the names"),
        (["Stra\\udce9e", "b"], "bytes that are not UTF-8: declare its `encoding`"),
    ],
)
def test_an_error_explains_column_names_that_are_none(names, message):
    with pytest.raises(SourceError, match=message) as error:
        mapped(sheet(**{name: ["x"] for name in names}), {"price": Column(column="price")})
    assert "Main St" not in str(error.value)


def test_serial_numbers_of_a_workbook_count_from_its_own_year():
    rows = replace(sheet(day=[43294, "43294", "13.07.2022", "2022-07-13", None, 2022]), first_year=1904)
    days = mapped(rows, {"sale_date": Column(column="day", serial=True)})["sale_date"].to_pylist()
    assert days == ["2022-07-14", "2022-07-14", "13.07.2022", "2022-07-13", None, "2022"]
    declared = mapped(rows, {"sale_date": Column(column="day", serial=1900)})["sale_date"].to_pylist()
    assert declared[0] == "43294"


def test_a_doubled_column_is_an_error_only_if_it_is_mapped():
    rows = replace(sheet(price=["1"]), repeated=frozenset({"Agent"}))
    assert mapped(rows, {"price": Column(column="price")}).num_rows == 1
    with pytest.raises(SourceError, match=r"has several columns 'Agent' \(for location\): name one of them"):
        mapped(rows, {"location": Column(column="Agent")})


def test_values_that_look_alike_are_excluded_alike():
    feed = Files(kind="files", files=["x"], columns={}, exclude={"nature": ["Échange", ""]}, include={"type": ["A"]})
    rows = sheet(nature=["E\u0301change ", "Vente", None, "Échange"], type=["A", "A", "A", "B"])
    assert exclusions(rows, feed).to_pylist() == ["nature = Échange", None, "nature = ", "nature = Échange; type = B"]


def test_a_pattern_takes_a_part_of_a_text():
    rows = sheet(at=["POINT (13.4 52.5)", "unknown", None])
    columns = {"latitude": r"POINT \(\S+ (\S+)\)", "longitude": r"POINT \((\S+) \S+\)"}
    table = mapped(rows, {name: Column(column="at", pattern=pattern) for name, pattern in columns.items()})
    assert table["latitude"].to_pylist() == ["52.5", "unknown", None]
    assert table["longitude"].to_pylist() == ["13.4", "unknown", None]
