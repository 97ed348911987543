"""A source's columns as canonical columns: taken, combined, looked up or constant."""

import numpy as np
import pyarrow as pa
import pytest

from homei.config.feeds import Column, LookupFile
from homei.ingestion.connectors.files import Sheet
from homei.ingestion.connectors.text_rows import SourceError, is_number, texts
from homei.ingestion.mapping import lookup_of, mapped


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
    assert [[*row.values()] for row in table.to_pylist()] == [["10", "1%A", "here"], ["20", None, "here"]]


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
        lookup_of(ADDRESSES, sheet(adress=["1 A"]))
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
