"""A source's columns under homei's names: taken, put together, looked up or constant."""

import numpy as np
import pyarrow as pa
import pytest

from homei.source import Column, LookupFile
from homei.sources.files import Sheet
from homei.sources.mapping import lookup_of, mapped
from homei.sources.rows import SourceError, numbers, texts


def sheet(**columns):
    """A sheet of the columns' cells, some of which are numbers."""
    cells = pa.table({name: texts(column) for name, column in columns.items()})
    faults = pa.chunked_array([pa.nulls(cells.num_rows, pa.string())])
    masks = {name: numbers(column) for name, column in columns.items()}
    return Sheet("sales.csv", "", cells, np.arange(cells.num_rows) + 2, faults, masks)


def column(**origin):
    return Column(**origin)


ADDRESSES = LookupFile(file="places.csv", key="address", template="{block} {street}")


def test_each_origin_gives_its_text():
    rows = sheet(block=["1", "2"], street=["A", None], price=["10", "20"])
    table = mapped(
        rows,
        {
            "price": column(column="price"),
            "property_id": column(template="{block}%{street}"),
            "location": column(constant="here"),
        },
    )
    assert [[*row.values()] for row in table.to_pylist()] == [["10", "1%A", "here"], ["20", None, "here"]]


def test_a_lookup_joins_by_its_key_and_the_first_of_two_counts():
    found = sheet(address=["1 A", "1 A", "2 B"], lat=["1.0", "9.9", None])
    rows = sheet(block=["2", "1", "3", None], street=["B", "A", "C", "D"])
    table = mapped(rows, {"latitude": column(lookup="lat")}, lookup_of(ADDRESSES, found))
    assert table["latitude"].to_pylist() == [None, "1.0", None, None]


def test_a_lookup_file_that_is_not_there_gives_nulls():
    table = mapped(sheet(price=["1"]), {"latitude": column(lookup="lat")}, lookup_of(ADDRESSES, None))
    assert table["latitude"].to_pylist() == [None]


def test_every_lacking_column_is_named_with_the_nearest():
    rows = sheet(Price=["1"], street_name=["A"], area=["3"])
    with pytest.raises(SourceError) as error:
        mapped(rows, {"price": column(column="price"), "property_id": column(template="{street}")})
    assert str(error.value).splitlines() == [
        "sales.csv: has no column 'price' (for price); the nearest is 'Price'",
        "sales.csv: has no column 'street' (for property_id); the nearest is 'street_name'",
    ]


def test_a_lookup_names_what_its_file_lacks():
    with pytest.raises(SourceError, match=r"has no column 'address' \(for lookup.key\); the nearest is 'adress'"):
        lookup_of(ADDRESSES, sheet(adress=["1 A"]))
    with pytest.raises(SourceError, match=r"places.csv: has no column 'lat' \(for latitude\); the nearest is 'LAT'"):
        lookup = lookup_of(ADDRESSES, sheet(address=["1 A"], LAT=["1"]))
        mapped(sheet(block=["1"], street=["A"]), {"latitude": column(lookup="lat")}, lookup)
    with pytest.raises(SourceError, match=r"latitude: wants a lookup, but lookup names no file"):
        mapped(sheet(block=["1"]), {"latitude": column(lookup="lat")})


def test_a_template_that_makes_no_sense_is_an_error():
    for template in ("{block", "fixed", "{}"):
        with pytest.raises(SourceError, match="template"):
            mapped(sheet(block=["1"]), {"location": column(template=template)})


def test_a_number_among_texts_takes_the_notation_of_its_column():
    rows = sheet(area=[84.5, "84,5", 84, None], price=[1.5, "1.5", None, "2"])
    table = mapped(rows, {"square_meters": column(column="area", decimal=","), "price": column(column="price")})
    assert table["square_meters"].to_pylist() == ["84,5", "84,5", "84", None]
    assert table["price"].to_pylist() == ["1.5", "1.5", None, "2"]
