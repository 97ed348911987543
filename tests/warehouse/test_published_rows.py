"""Published rows are those of the lake, in the order and the types of the warehouse."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies

from homei.storage import key_buckets, lake, remote_files, snapshots
from homei.warehouse.published_rows import arrow_schema, json_documents, searchable_words
from homei.warehouse.tables import PUBLISHED, property_analytics, property_history

pytestmark = pytest.mark.usefixtures("project")


def test_a_city_without_resolved_properties_is_published_without_any(town, rows_in_memory):
    town(2)
    for table in (lake.RESOLVED_PROPERTIES, lake.VALUATIONS):
        lake.write(lake.read(table).iloc[:0].astype(object), table)
    lake.write(lake.typed(lake.read(lake.PROPERTY_ANALYTICS).iloc[:0]), lake.PROPERTY_ANALYTICS)
    lake.write(lake.read(lake.RESOLVED_SALES).assign(property_id=None), lake.RESOLVED_SALES)
    tables = rows_in_memory()
    assert tables[property_analytics].num_rows == 0
    assert tables[property_history]["event_id"].to_pylist() == ["l1"]


def test_each_table_has_the_warehouse_s_columns_sorted_by_its_key(town):
    tables = town(5)
    assert [*tables] == [*PUBLISHED]
    for table, rows in tables.items():
        assert rows.schema == arrow_schema(table)
        keys = list(zip(*(rows[column.name].to_pylist() for column in table.primary_key), strict=True))
        assert keys == sorted(keys)
        assert rows.num_rows


def test_a_lake_without_listings_and_customers_is_published(town, rows_in_memory):
    town(3)
    for table in (lake.RESOLVED_LISTINGS, lake.CUSTOMER_ANALYTICS):
        lake.write(lake.read(table).iloc[:0].astype(object), table)
    tables = rows_in_memory()
    assert [rows.num_rows for rows in tables.values()] == [3, 3, 0, 2, 14]
    assert tables[property_history]["ended_on"].null_count == 3


@pytest.mark.parametrize(
    ("system", "latitude", "strip"), [("wgs84", 45.0049, 9000), ("wgs84", -0.001, -1), ("plane", 999.0, 1)]
)
def test_a_strip_is_half_a_kilometre_of_latitude(town, system, latitude, strip, rows_in_memory):
    town(1)
    lake.write(lake.read(lake.RESOLVED_PROPERTIES).assign(latitude=latitude), lake.RESOLVED_PROPERTIES)
    assert rows_in_memory(system)[property_analytics]["strip"].to_pylist() == [strip]


def test_properties_without_coordinates_or_valuation_are_published_with_nulls(town, rows_in_memory):
    town(2, valued_price=np.nan, confidence=np.nan)
    lake.write(lake.read(lake.RESOLVED_PROPERTIES).assign(latitude=np.nan), lake.RESOLVED_PROPERTIES)
    rows = rows_in_memory()[property_analytics]
    for name in ("latitude", "strip", "valued_price", "confidence"):
        assert rows[name].null_count == 2, name
    assert rows["price"].to_pylist() == [None, 250_000.0]  # the second is offered


def test_history_leaves_out_unresolved_sales_and_duplicate_listings(town, rows_in_memory):
    town(2)
    published = rows_in_memory()[property_history]
    assert sorted(published["event_id"].to_pylist()) == ["l1", "t0", "t1"]
    assert published.schema == arrow_schema(property_history)


def test_valuations_are_joined_by_property_whatever_their_order(town, rows_in_memory):
    expected = town(4)[property_analytics]
    lake.write(lake.read(lake.VALUATIONS).iloc[::-1], lake.VALUATIONS)
    assert rows_in_memory()[property_analytics] == expected
    lake.write(lake.read(lake.VALUATIONS).iloc[:1], lake.VALUATIONS)
    rows = rows_in_memory()[property_analytics]
    assert rows["valued_price"].null_count == 3
    assert rows["features"].to_pylist()[:3] == ["{}"] * 3


def move_out_of_the_workspace(path, uri):
    """Makes a table a snapshot in a lake, in two files whose rows are in another order."""
    rows = lake.read_arrow(path)
    order, files = np.random.default_rng(7).permutation(len(rows)), []
    for number, places in enumerate(np.array_split(order, 2)):
        part = rows.take(pa.array(places))
        name = f"files/{number}.parquet"
        remote_files.write_bytes(_parquet(part), f"{uri}/{path}/{name}", None)
        files.append(snapshots.DataFile(name, len(part), 0, ""))
    types = {field.name: str(field.type) for field in rows.schema}
    receipt = snapshots.receipt_of(f"{uri}/{path}", types, rows.column_names[:1], len(rows), "digest")
    snapshots.commit(receipt, files, path, None)


def _parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()


def test_tables_of_an_external_lake_give_the_same_rows(town, rows_in_memory, tmp_path, monkeypatch):
    expected = town(40)
    for path in (lake.PROPERTY_ANALYTICS, lake.RESOLVED_PROPERTIES, lake.RESOLVED_SALES, lake.VALUATIONS):
        move_out_of_the_workspace(path, (tmp_path / "lake").as_uri())
        assert (path / "receipt.json").is_file()
    assert rows_in_memory() == expected
    monkeypatch.setattr(key_buckets, "ROWS_PER_BUCKET", 9)
    monkeypatch.setattr(lake, "MAX_ROWS_IN_MEMORY", 2)
    assert rows_in_memory() == expected


cells = strategies.none() | strategies.text(max_size=5)
numbers = strategies.none() | strategies.floats(allow_nan=False, allow_infinity=False)


@given(strategies.lists(strategies.tuples(numbers, cells), max_size=5))
def test_a_document_is_the_row_as_json_without_unknown_values(rows):
    frame = pd.DataFrame({"size": [row[0] for row in rows], 'na"me': [row[1] for row in rows]})
    published = json_documents(frame.astype({"size": float}))
    for (size, name), text in zip(rows, published, strict=True):
        document = {'na"me': name, "size": size}
        assert json.loads(text) == {key: value for key, value in document.items() if value is not None}
        assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def test_a_document_without_attributes_is_empty():
    assert json_documents(pd.DataFrame(index=range(2))) == ["{}", "{}"]
    assert pa.types.is_string(arrow_schema(property_analytics).field("features").type)


def test_searchable_words_are_in_lower_case_and_separated_by_blanks():
    addresses = pa.chunked_array([["12/3 Mill-Lane", "ÉTÉ_12", "--", None]])
    assert searchable_words(addresses).to_pylist() == ["12 3 mill lane", "été 12", None, None]
