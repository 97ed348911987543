"""Rows of the published tables, read from the lake as Arrow tables that are sorted by their keys."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import JSON, BigInteger, Boolean, Date, Double, Integer, Table, Text

from homei.config.projection import Coordinates
from homei.storage import lake
from homei.warehouse.search_terms import address_words
from homei.warehouse.tables import (
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
VERSIONS = ("model_version", "data_version")  # of the valuations; the same in all rows of VALUATIONS
_ARROW_TYPES = {
    JSON: pa.string(), BigInteger: pa.int64(), Integer: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(),
    Double: pa.float64(), Text: pa.string(),
}  # fmt: skip


def published_rows(coordinates: Coordinates) -> dict[Table, pa.Table]:
    """The rows of each PUBLISHED table in the warehouse's columns; documents are canonical JSON texts."""
    customers = pa.Table.from_pandas(lake.read(lake.CUSTOMER_ANALYTICS), preserve_index=False)
    return {
        property_analytics: conform(property_rows(coordinates), property_analytics),
        property_history: conform(history_rows(), property_history),
        customer_analytics: conform(customers, customer_analytics),
        market_analytics: conform(market_rows(), market_analytics),
        market_trends: conform(market_trend_rows(), market_trends),
    }


def property_rows(coordinates: Coordinates) -> pa.Table:
    """PROPERTY_ANALYTICS with address, valuation and price; other attributes are in `features`."""
    places = lake.read_arrow(lake.RESOLVED_PROPERTIES).select(["property_id", "address", "latitude", "longitude"])
    valuations = lake.read_arrow(lake.VALUATIONS).drop_columns(list(VERSIONS))
    features = [name for name in valuations.column_names if name not in ("property_id", *VALUATION_COLUMNS)]
    documents = json_documents(valuations.select(features).to_pandas())
    valuations = valuations.drop_columns(features).append_column("features", pa.array(documents, pa.string()))
    rows = lake.read_arrow(lake.PROPERTY_ANALYTICS)
    for columns in (places, valuations):
        rows = _join(rows, _with_types(columns))
    asking_price = pc.if_else(rows["is_listed"], rows["last_asking_price"], None)
    rows = rows.append_column("price", pc.coalesce(asking_price, rows["valued_price"]))
    strips = pc.floor(pc.divide(rows["latitude"], STRIP_HEIGHT[coordinates.stored_system]))
    rows = rows.append_column("strip", strips).append_column("words", searchable_words(rows["address"]))
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


def history_rows() -> pa.Table:
    """Sales and listings of resolved properties, without duplicates and without names of persons."""
    shared = ["property_id", "price", "square_meters"]
    sales = lake.read_arrow(lake.RESOLVED_SALES).select(["transaction_id", "sale_date", "is_market", *shared])
    sales = sales.rename_columns(["event_id", "happened_on", "is_market", *shared])
    listings = lake.read_arrow(lake.RESOLVED_LISTINGS).filter(pc.field("duplicate_of").is_null())
    listings = listings.select(["listing_id", "listed_on", "closed_on", *shared])
    listings = listings.rename_columns(["event_id", "happened_on", "ended_on", *shared])
    parts = [
        conform(rows.append_column("event", pa.array([event] * len(rows), pa.string())), property_history)
        for event, rows in (("sale", sales), ("listing", listings))
    ]
    return pa.concat_tables(parts).filter(pc.field("property_id").is_valid() & pc.field("happened_on").is_valid())


def market_rows() -> pa.Table:
    """MARKET_ANALYTICS with the source's indicator series in one document per row."""
    analytics = lake.read(lake.MARKET_ANALYTICS)
    series = [name for name in analytics if name.startswith(INDICATOR_PREFIX)]
    indicators = analytics[series].rename(columns=lambda name: name.removeprefix(INDICATOR_PREFIX))
    rows = analytics.drop(columns=series).assign(indicators=json_documents(indicators))
    return pa.Table.from_pandas(rows, preserve_index=False)


def market_trend_rows() -> pa.Table:
    """The rows of market_trends for the months of MARKET_ANALYTICS."""
    columns = ["sale_date", "location", "property_type", "price", "square_meters", "is_market"]
    sales = lake.read_arrow(lake.RESOLVED_SALES).select(columns).to_pandas()
    rows = trend_rows(sales, lake.read(lake.MARKET_ANALYTICS), lake.read(lake.MARKET_INDEX))
    return pa.Table.from_pandas(rows, preserve_index=False)


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
    """The columns of a warehouse table in Arrow's types, sorted by its key; missing columns are null."""
    schema = arrow_schema(table)
    nulls = pa.nulls(len(rows))
    columns = [_cast(rows[field.name] if field.name in rows.column_names else nulls, field.type) for field in schema]
    key = [(column.name, "ascending") for column in table.primary_key]
    return pa.table(columns, schema=schema).sort_by(key).combine_chunks()


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
