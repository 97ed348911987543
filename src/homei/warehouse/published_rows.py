"""Rows of the published tables, read from the lake in buckets of properties."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import JSON, BigInteger, Boolean, Date, Double, Integer, Table, Text
from tqdm import tqdm

from homei.config.projection import Coordinates
from homei.storage import lake
from homei.storage.key_buckets import LakeColumns, buckets, n_buckets_for
from homei.warehouse.published_files import PublishedRows, RowsWriter, write_rows
from homei.warehouse.search_terms import address_words
from homei.warehouse.shards import shard_of, shards_of
from homei.warehouse.tables import (
    PARTITIONED,
    STRIP_HEIGHT,
    customer_analytics,
    market_analytics,
    market_trends,
    property_analytics,
    property_history,
)
from homei.warehouse.trend_rows import trend_rows

INDICATOR_PREFIX = "indicator_"  # of columns with indicator series in MARKET_ANALYTICS
VALUATION_COLUMNS = ("valued_price", "valued_low", "valued_high", "confidence", "flags")
PLACE_COLUMNS = ("property_id", "address", "latitude", "longitude")
SALE_COLUMNS = ("transaction_id", "sale_date", "is_market", "property_id", "price", "square_meters")
LISTING_COLUMNS = ("listing_id", "listed_on", "closed_on", "property_id", "price", "square_meters")
TREND_COLUMNS = ["sale_date", "location", "property_type", "price", "square_meters", "is_market"]
VERSIONS = ("model_version", "data_version")  # of the valuations; the same in all rows of VALUATIONS
_ARROW_TYPES = {
    JSON: pa.string(), BigInteger: pa.int64(), Integer: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(),
    Double: pa.float64(), Text: pa.string(),
}  # fmt: skip


def published_rows(coordinates: Coordinates, folder: Path) -> dict[Table, PublishedRows]:
    """The rows of each PUBLISHED table in the warehouse's columns; documents are canonical JSON texts.

    The rows lie in files of `folder`, and one bucket of properties at a time is in memory.
    """
    writers = [RowsWriter(table, arrow_schema(table), folder) for table in PARTITIONED]
    for bucket in _property_buckets(coordinates, folder):
        for writer, rows in zip(writers, bucket, strict=True):
            writer.add(rows)
    customers = pa.Table.from_pandas(lake.read(lake.CUSTOMER_ANALYTICS), preserve_index=False)
    others = {customer_analytics: customers, market_analytics: market_rows(), market_trends: market_trend_rows()}
    return {
        **{table: writer.result() for table, writer in zip(PARTITIONED, writers, strict=True)},
        **{table: write_rows(table, conform(rows, table), folder) for table, rows in others.items()},
    }


def _property_buckets(coordinates: Coordinates, folder: Path) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of property_analytics and property_history of each bucket of properties."""
    analytics = LakeColumns(lake.PROPERTY_ANALYTICS, lake.scan(lake.PROPERTY_ANALYTICS).schema.names)
    names = [name for name in lake.scan(lake.VALUATIONS).schema.names if name not in VERSIONS]
    sources = {
        "analytics": analytics,
        "places": LakeColumns(lake.RESOLVED_PROPERTIES, PLACE_COLUMNS),
        "valuations": LakeColumns(lake.VALUATIONS, names),
        "sales": LakeColumns(lake.RESOLVED_SALES, SALE_COLUMNS, pc.field("property_id").is_valid()),
        "listings": LakeColumns(
            lake.RESOLVED_LISTINGS,
            LISTING_COLUMNS,
            pc.field("property_id").is_valid() & pc.field("duplicate_of").is_null(),
        ),
    }
    n_buckets = n_buckets_for(*sources.values())
    parts = (buckets(source, n_buckets, folder / name) for name, source in sources.items())
    joined = tqdm(zip(*parts, strict=True), desc="properties", total=n_buckets, unit=" buckets", disable=None)
    for analytics_rows, places, valuations, sales, listings in joined:
        properties = property_rows(analytics_rows, places, valuations, coordinates)
        history = history_rows(sales, listings, properties.select(["property_id", "shard"]))
        yield conform(properties, property_analytics), conform(history, property_history)


def property_rows(analytics: pa.Table, places: pa.Table, valuations: pa.Table, coordinates: Coordinates) -> pa.Table:
    """PROPERTY_ANALYTICS with address, valuation, price and shard; other attributes are in `features`."""
    features = [name for name in valuations.column_names if name not in ("property_id", *VALUATION_COLUMNS)]
    documents = json_documents(valuations.select(features).to_pandas())
    valuations = valuations.drop_columns(features).append_column("features", pa.array(documents, pa.string()))
    rows = analytics
    for columns in (places, valuations):
        rows = _join(rows, _with_types(columns))
    asking_price = pc.if_else(rows["is_listed"], rows["last_asking_price"], None)
    rows = rows.append_column("price", pc.coalesce(asking_price, rows["valued_price"]))
    strips = pc.floor(pc.divide(rows["latitude"], STRIP_HEIGHT[coordinates.stored_system]))
    rows = rows.append_column("strip", strips).append_column("words", searchable_words(rows["address"]))
    rows = rows.append_column("shard", shards_of(rows["location"]))
    return rows.set_column(rows.column_names.index("features"), "features", pc.fill_null(rows["features"], "{}"))


def searchable_words(addresses: pa.ChunkedArray) -> pa.Array:
    """The words of each address in lower case, separated by blanks; null where there is none."""
    return pa.array([" ".join(address_words(text or "")) or None for text in addresses.to_pylist()], pa.string())


def _join(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The columns of both tables for the properties of the first one."""
    if not rows["property_id"].equals(others["property_id"]):
        return rows.join(others, "property_id", join_type="left outer")
    for name in others.drop_columns("property_id").column_names:
        rows = rows.append_column(name, others[name])
    return rows


def _with_types(rows: pa.Table) -> pa.Table:
    """Gives columns without any value, which have no type in the lake, their type in the warehouse."""
    schema = arrow_schema(property_analytics)
    types = [schema.field(field.name).type if pa.types.is_null(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, types, strict=True))))


def history_rows(sales: pa.Table, listings: pa.Table, shards: pa.Table) -> pa.Table:
    """SALE_COLUMNS and LISTING_COLUMNS as events in the shard of their property.

    Rows without a date are left out. `shards` has property_id and shard. An event of a property that is not published
    is in the shard of no location.
    """
    names = {"transaction_id": "event_id", "sale_date": "happened_on"}
    names |= {"listing_id": "event_id", "listed_on": "happened_on", "closed_on": "ended_on"}
    parts = []
    for event, rows in (("sale", sales), ("listing", listings)):
        rows = rows.rename_columns([names.get(name, name) for name in rows.column_names])
        rows = rows.append_column("event", pa.array([event] * len(rows), pa.string()))
        rows = rows.append_column("shard", pa.array([shard_of(None)] * len(rows), pa.int64()))
        parts.append(conform(rows, property_history))
    rows = pa.concat_tables(parts)
    places = pc.index_in(rows["property_id"], shards["property_id"].cast(pa.string()))
    shard = pc.coalesce(shards["shard"].combine_chunks().take(places.combine_chunks()), rows["shard"])
    rows = rows.set_column(rows.column_names.index("shard"), "shard", shard)
    return rows.filter(pc.field("happened_on").is_valid())


def market_rows() -> pa.Table:
    """MARKET_ANALYTICS with the source's indicator series in one document per row."""
    analytics = lake.read(lake.MARKET_ANALYTICS)
    series = [name for name in analytics if name.startswith(INDICATOR_PREFIX)]
    indicators = analytics[series].rename(columns=lambda name: name.removeprefix(INDICATOR_PREFIX))
    rows = analytics.drop(columns=series).assign(indicators=json_documents(indicators))
    return pa.Table.from_pandas(rows, preserve_index=False)


def market_trend_rows() -> pa.Table:
    """The rows of market_trends for the months of MARKET_ANALYTICS; the sales of one year are in memory."""
    markets = lake.read(lake.MARKET_ANALYTICS)
    years = sorted({*pd.to_datetime(markets["month"]).dt.year.dropna().astype(int).tolist()})
    rows = trend_rows(map(_sales_of_year, years or [datetime.MINYEAR]), markets, lake.read(lake.MARKET_INDEX))
    return pa.Table.from_pandas(rows, preserve_index=False)


def _sales_of_year(year: int) -> pd.DataFrame:
    first, last = datetime.date(year, 1, 1), datetime.date(year, 12, 31)
    condition = (pc.field("sale_date") >= first) & (pc.field("sale_date") <= last)
    return lake.scan(lake.RESOLVED_SALES).to_table(columns=TREND_COLUMNS, filter=condition).to_pandas()


def json_documents(columns: pd.DataFrame) -> list[str]:
    """Each row as a JSON object with sorted names, without unknown values."""
    if not len(columns.columns):
        return ["{}"] * len(columns)
    members = [_json_members(name, columns[name]) for name in sorted(columns)]
    return ["{" + ",".join(filter(None, row)) + "}" for row in zip(*members, strict=True)]


def _json_members(name: str, column: pd.Series) -> list[str]:
    """`"name":value` for each value of a column, an empty text for an unknown one."""
    key = _json(name)
    if column.dtype.kind == "f":
        # repr writes a number as JSON does: the shortest text that reads back as the same number.
        return [f"{key}:{value!r}" if value == value else "" for value in column.tolist()]
    members = {value: f"{key}:{_json(value)}" for value in column.dropna().unique()}
    return [members.get(value, "") for value in column.tolist()]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def conform(rows: pa.Table, table: Table) -> pa.Table:
    """The columns of a warehouse table in Arrow's types, sorted by shard and key.

    Missing columns are null.
    """
    schema = arrow_schema(table)
    nulls = pa.nulls(len(rows))
    columns = [_cast(rows[field.name] if field.name in rows.column_names else nulls, field.type) for field in schema]
    key = [(column.name, "ascending") for column in table.primary_key if column.name != "shard"]
    shard = [("shard", "ascending")] if "shard" in table.columns else []
    return pa.table(columns, schema=schema).sort_by([*shard, *key]).combine_chunks()


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        # Databases treat NaN differently; null means the same in all of them.
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(kind)


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow types of a table's columns."""
    return pa.schema(
        (column.name, next(arrow for sql, arrow in _ARROW_TYPES.items() if isinstance(column.type, sql)))
        for column in table.columns
    )
