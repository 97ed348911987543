"""What is published, taken from the lake: for each table of the warehouse its rows, in the order of their key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import JSON, BigInteger, Boolean, Date, Double, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from homei import lake
from homei.source import Coordinates
from homei.warehouse.filters import RANGES
from homei.warehouse.periods import trends
from homei.warehouse.tables import (
    ALL,
    MOST_ROOMS,
    STRIPS,
    customer_analytics,
    market_analytics,
    market_trends,
    property_analytics,
    property_history,
    property_kinds,
)
from homei.warehouse.words import terms

INDICATOR = "indicator_"  # what the columns of a source's own series begin with, in the lake
OF_VALUATIONS = ("valued_price", "valued_low", "valued_high", "confidence", "flags")
VERSIONS = ("model_version", "data_version")  # of the values, alike in all rows of VALUATIONS
# What property_kinds tells of the homes of a kind: each the least or the most of a column.
ENDS = {f"{name}_{end}": (end, column) for name, column in RANGES.items() for end in ("min", "max")}
ENDS |= {"south": ("min", "latitude"), "north": ("max", "latitude")}
ENDS |= {"west": ("min", "longitude"), "east": ("max", "longitude")}
_ARROW = {
    JSON: pa.string(), BigInteger: pa.int64(), Integer: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(),
    Double: pa.float64(), Text: pa.string(),
}  # fmt: skip


def contents(coordinates: Coordinates) -> dict[Table, pa.Table]:
    """The rows of each PUBLISHED table, its columns as the warehouse has them; documents are canonical JSON texts."""
    customers = pa.Table.from_pandas(lake.read(lake.CUSTOMER_ANALYTICS), preserve_index=False)
    return {
        property_analytics: arranged(properties(coordinates), property_analytics),
        property_history: arranged(history(), property_history),
        customer_analytics: arranged(customers, customer_analytics),
        market_analytics: arranged(markets(), market_analytics),
        market_trends: arranged(pa.Table.from_pandas(market_rows(), preserve_index=False), market_trends),
    }


def properties(coordinates: Coordinates) -> pa.Table:
    """PROPERTY_ANALYTICS with addresses, places, values and what a home costs; what else is known is `features`."""
    places = lake.read_arrow(lake.RESOLVED_PROPERTIES).select(["property_id", "address", "latitude", "longitude"])
    valuations = lake.read_arrow(lake.VALUATIONS).drop_columns(list(VERSIONS))
    others = [name for name in valuations.column_names if name not in ("property_id", *OF_VALUATIONS)]
    features = documents(valuations.select(others).to_pandas())
    valued = valuations.drop_columns(others).append_column("features", pa.array(features, pa.string()))
    rows = _joined(_joined(lake.read_arrow(lake.PROPERTY_ANALYTICS), _typed(places)), _typed(valued))
    asked = pc.if_else(rows["is_listed"], rows["last_asking_price"], None)
    rows = rows.append_column("price", pc.coalesce(asked, rows["valued_price"]))
    strips = pc.floor(pc.divide(rows["latitude"], STRIPS[coordinates.system]))
    rows = rows.append_column("strip", strips)
    rows = rows.append_column("kind", kinds(rows["property_type"], rows["bedrooms"]))
    rows = rows.append_column("words", searched(rows["address"]))
    return rows.set_column(rows.column_names.index("features"), "features", pc.fill_null(rows["features"], "{}"))


def kinds(types: pa.ChunkedArray, bedrooms: pa.ChunkedArray) -> pa.ChunkedArray:
    """Type and whole number of bedrooms, MOST_ROOMS at most, as `flat/3`: nothing stands for what isn't known."""
    rooms = pc.cast(pc.floor(_cast(bedrooms, pa.float64())), pa.int64(), safe=False)
    rooms = pc.min_element_wise(rooms, MOST_ROOMS, skip_nulls=False).cast(pa.string())
    own = pc.binary_join_element_wise(types.cast(pa.string()), "/", "")
    return pc.binary_join_element_wise(pc.fill_null(own, ""), pc.fill_null(rooms, ""), "")


def counted(homes: pa.Table) -> pa.Table:
    """The rows of property_kinds, of those of property_analytics: each location's kinds of homes, and ALL's."""
    used = ["kind", "property_type", *sorted({column for _, column in ENDS.values()})]
    known = homes.select(["location", *used]).filter(pc.field("kind").is_valid())
    everywhere = known.select(used).append_column("location", pa.array([ALL] * len(known), pa.string()))
    return pa.concat_tables([_of_kinds(everywhere), _of_kinds(known.filter(pc.field("location") != ALL))])


def _of_kinds(homes: pa.Table) -> pa.Table:
    ends = [(column, of) for of, column in ENDS.values()]
    told = homes.group_by(["location", "kind"]).aggregate([("property_type", "min"), ([], "count_all"), *ends])
    names = {"property_type_min": "property_type", "count_all": "homes"}
    names |= {f"{column}_{of}": name for name, (of, column) in ENDS.items()}
    return arranged(told.rename_columns([names.get(name, name) for name in told.column_names]), property_kinds)


def searched(addresses: pa.ChunkedArray) -> pa.ChunkedArray:
    """The words of each address with a blank before and after each, null where there is none."""
    texts = addresses.combine_chunks().cast(pa.string())
    found = pc.replace_substring_regex(pc.ascii_lower(texts), "[^a-z0-9]+", " ")
    found = pc.binary_join_element_wise("", pc.utf8_trim_whitespace(found), "", " ")
    # What is a letter elsewhere, only Python tells as the search does.
    other = pc.invert(pc.fill_null(pc.string_is_ascii(texts), True))
    plain = pa.array([_spaced(text) for text in texts.filter(other).to_pylist()], pa.string())
    found = pc.replace_with_mask(found, other, plain)
    return pa.chunked_array([pc.if_else(pc.less_equal(pc.utf8_length(found), 2), None, found)])


def _spaced(text: str) -> str:
    return f" {' '.join(terms(text))} "


def _joined(homes: pa.Table, others: pa.Table) -> pa.Table:
    """The columns of both tables, for the homes of the first one."""
    if not homes["property_id"].equals(others["property_id"]):
        # Where there is no home at all, the lake's tables have no types either.
        return homes.join(others, "property_id", join_type="left outer")
    for name in others.drop_columns("property_id").column_names:
        homes = homes.append_column(name, others[name])
    return homes


def _typed(rows: pa.Table) -> pa.Table:
    """Gives columns of which nothing is known the types that they have none of in the lake."""
    known = dict(_types(schema_of(property_analytics)))
    own = _types(rows.schema)
    return rows.cast(pa.schema([(name, known[name] if pa.types.is_null(kind) else kind) for name, kind in own]))


def history() -> pa.Table:
    """Sales and offers of known properties, each offer once; who sold and bought is not carried over."""
    own = ["property_id", "price", "square_meters"]
    sales = lake.read_arrow(lake.RESOLVED_SALES).select(["transaction_id", "sale_date", "is_market", *own])
    sales = sales.rename_columns(["event_id", "happened_on", "is_market", *own])
    offers = lake.read_arrow(lake.RESOLVED_LISTINGS).filter(pc.field("duplicate_of").is_null())
    offers = offers.select(["listing_id", "listed_on", "closed_on", *own])
    offers = offers.rename_columns(["event_id", "happened_on", "ended_on", *own])
    parts = {"sale": sales, "listing": offers}
    told = [
        arranged(rows.append_column("event", pa.array([event] * len(rows), pa.string())), property_history)
        for event, rows in parts.items()
    ]
    known = pc.field("property_id").is_valid() & pc.field("happened_on").is_valid()
    return pa.concat_tables(told).filter(known)


def markets() -> pa.Table:
    """MARKET_ANALYTICS with a source's own series in one document a row."""
    analytics = lake.read(lake.MARKET_ANALYTICS)
    series = [name for name in analytics if name.startswith(INDICATOR)]
    named = analytics[series].rename(columns=lambda name: name.removeprefix(INDICATOR))
    rows = analytics.drop(columns=series).assign(indicators=documents(named))
    return pa.Table.from_pandas(rows, preserve_index=False)


def market_rows() -> pd.DataFrame:
    """The months of MARKET_ANALYTICS as periods.trends tells them."""
    own = ["sale_date", "location", "property_type", "price", "square_meters", "is_market"]
    sales = lake.read_arrow(lake.RESOLVED_SALES).select(own).to_pandas()
    return trends(sales, lake.read(lake.MARKET_ANALYTICS), lake.read(lake.MARKET_INDEX))


def documents(columns: pd.DataFrame) -> list[str]:
    """Each row as a JSON object with sorted names, without what is unknown."""
    if not len(columns.columns):
        return ["{}"] * len(columns)
    parts = [_members(name, columns[name]) for name in sorted(columns)]
    return ["{" + ",".join(filter(None, row)) + "}" for row in zip(*parts, strict=True)]


def _members(name: str, column: pd.Series) -> list[str]:
    named = _json(name)
    if column.dtype.kind == "f":
        # As JSON writes them: repr is the shortest text of a number.
        return [f"{named}:{value!r}" if value == value else "" for value in column.tolist()]
    known = {value: f"{named}:{_json(value)}" for value in column.dropna().unique()}
    return [known.get(value, "") for value in column.tolist()]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def arranged(rows: pa.Table, table: Table) -> pa.Table:
    """The table's columns in Arrow's types, those that `rows` has not empty, sorted by its key."""
    schema = schema_of(table)
    nothing = pa.nulls(len(rows))
    columns = [_cast(rows[name] if name in rows.column_names else nothing, kind) for name, kind in _types(schema)]
    key = [(column.name, "ascending") for column in table.primary_key]
    return pa.table(columns, schema=schema).sort_by(key).combine_chunks()


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        # What isn't a number is unknown: databases don't agree on what else to do with it.
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(kind)


def _types(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    return zip(schema.names, schema.types, strict=True)


def schema_of(table: Table) -> pa.Schema:
    """Arrow's types of a table's columns."""
    return pa.schema([(column.name, _arrow(column.type)) for column in table.columns])


def _arrow(kind: TypeEngine) -> pa.DataType:
    return next(arrow for sql, arrow in _ARROW.items() if isinstance(kind, sql))
