"""What is published, taken from the lake: for each table of the warehouse its rows, in the order of their key."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import JSON, BigInteger, Boolean, Date, Double, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from homei import lake
from homei.source import Coordinates
from homei.warehouse.tables import customer_analytics, market_analytics, property_analytics, property_history

# The height of a strip of equal latitude, by coordinate system: half a kilometre, in degrees or metres.
STRIPS = {"wgs84": 0.005, "plane": 500.0}
INDICATOR = "indicator_"  # what the columns of a source's own series begin with, in the lake
OF_VALUATIONS = ("valued_price", "valued_low", "valued_high", "confidence", "flags")
VERSIONS = ("level", "model_version", "data_version")  # alike in all rows of VALUATIONS
_ARROW = {
    JSON: pa.string(), BigInteger: pa.int64(), Integer: pa.int64(), Boolean: pa.bool_(), Date: pa.date32(),
    Double: pa.float64(), Text: pa.string(),
}  # fmt: skip


def contents(coordinates: Coordinates) -> dict[Table, pa.Table]:
    """The rows of each PUBLISHED table, its columns as the warehouse has them; documents are canonical JSON texts."""
    return {
        property_analytics: arranged(properties(coordinates), property_analytics),
        property_history: arranged(history(), property_history),
        customer_analytics: arranged(lake.read(lake.CUSTOMER_ANALYTICS), customer_analytics),
        market_analytics: arranged(markets(lake.read(lake.MARKET_ANALYTICS)), market_analytics),
    }


def properties(coordinates: Coordinates) -> pd.DataFrame:
    """PROPERTY_ANALYTICS with addresses, places, values and what a home costs; what else is known is `features`."""
    valuations = lake.read(lake.VALUATIONS).drop(columns=list(VERSIONS))
    features = [name for name in valuations if name not in ("property_id", *OF_VALUATIONS)]
    valued = valuations.drop(columns=features).assign(features=documents(valuations[features]))
    places = lake.read(lake.RESOLVED_PROPERTIES, ["property_id", "address", "latitude", "longitude"])
    joined = lake.read(lake.PROPERTY_ANALYTICS)
    for other in (places, valued):
        joined = joined.merge(other, on="property_id", how="left", validate="one_to_one")
    asked = joined["last_asking_price"].where(joined["is_listed"])
    return joined.assign(
        price=asked.fillna(joined["valued_price"]),
        strip=np.floor(joined["latitude"] / STRIPS[coordinates.system]),
        features=joined["features"].fillna("{}"),
    )


def history() -> pd.DataFrame:
    """Sales and offers of known properties, each offer once; who sold and bought is not carried over."""
    names = ["property_id", "price", "square_meters"]
    sales = lake.read(lake.RESOLVED_SALES, ["transaction_id", "sale_date", "is_market", *names])
    listings = lake.read(lake.RESOLVED_LISTINGS, ["listing_id", "listed_on", "closed_on", "duplicate_of", *names])
    sold = sales.rename(columns={"transaction_id": "event_id", "sale_date": "happened_on"}).assign(event="sale")
    offered = listings[listings["duplicate_of"].isna()].rename(
        columns={"listing_id": "event_id", "listed_on": "happened_on", "closed_on": "ended_on"}
    )
    # A source without offers has columns of no type there.
    found = pd.concat([part for part in (sold, offered.assign(event="listing")) if len(part)], ignore_index=True)
    found = found.reindex(columns=[column.name for column in property_history.columns])
    return found[found["property_id"].notna() & found["happened_on"].notna()]


def markets(analytics: pd.DataFrame) -> pd.DataFrame:
    """MARKET_ANALYTICS with a source's own series in one document a row."""
    series = [name for name in analytics if name.startswith(INDICATOR)]
    named = analytics[series].rename(columns=lambda name: name.removeprefix(INDICATOR))
    return analytics.drop(columns=series).assign(indicators=documents(named))


def documents(columns: pd.DataFrame) -> list[str]:
    """Each row as a JSON object with sorted names, without what is unknown."""
    if not len(columns.columns):
        return ["{}"] * len(columns)
    parts = [_members(name, columns[name]) for name in sorted(columns)]
    return ["{" + ",".join(filter(None, row)) + "}" for row in zip(*parts, strict=True)]


def _members(name: str, column: pd.Series) -> list[str]:
    if column.dtype.kind == "f":
        # As JSON writes them: repr is the shortest text of a number.
        return [f"{_json(name)}:{value!r}" if value == value else "" for value in column.tolist()]
    known = {value: f"{_json(name)}:{_json(value)}" for value in column.dropna().unique()}
    return [known.get(value, "") for value in column.tolist()]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def arranged(rows: pd.DataFrame, table: Table) -> pa.Table:
    """The table's columns as Arrow's types, sorted by its key."""
    names = schema_of(table).names
    # A column of which nothing is known has no type of its own.
    found = rows[names].astype({name: object for name in names if rows[name].isna().all()})
    arrow = pa.Table.from_pandas(found, schema=schema_of(table), preserve_index=False).replace_schema_metadata()
    return arrow.sort_by([(column.name, "ascending") for column in table.primary_key]).combine_chunks()


def schema_of(table: Table) -> pa.Schema:
    """Arrow's types of a table's columns."""
    return pa.schema([(column.name, _arrow(column.type)) for column in table.columns])


def _arrow(kind: TypeEngine) -> pa.DataType:
    return next(arrow for sql, arrow in _ARROW.items() if isinstance(kind, sql))


def versions() -> Mapping[str, object]:
    """What all of VALUATIONS is of: VERSIONS."""
    return lake.read(lake.VALUATIONS, list(VERSIONS)).iloc[0].to_dict()
