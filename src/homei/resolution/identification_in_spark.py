"""Properties of sales and listings in Spark, for tables that do not fit into memory.

Gives the results of `resolve.identify_properties`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution.config import ResolveConfig
from homei.resolution.evidence_in_spark import evidence_of, prepared
from homei.resolution.intermediate import checkpointed, small_side
from homei.resolution.matching_in_spark import match, oversized_blocks
from homei.resolution.property_matching import ATTRIBUTES
from homei.resolution.resolve import LISTING_ORDER, MIN_UNIT_SHARE, PROPERTY_COLUMNS, SALE_ORDER

SALES, LISTINGS = "sales", "listings"  # values of the column `table`


class Identified(NamedTuple):
    sales: DataFrame
    listings: DataFrame
    properties: DataFrame
    oversized: pd.DataFrame


def identify_properties(
    sales: DataFrame, listings: DataFrame, listing_feeds: Iterable[str], city: CityConfig, resolve: ResolveConfig
) -> Identified:
    """Sales and listings with property_id where it is certain, the properties, and the oversized blocks."""
    settings = resolve.match
    parsed = checkpointed(
        evidence_of(_records(sales, listings), city, settings, {"table": "string", "is_unmatched": "boolean"})
    )
    addresses = parsed.where(F.col("table") == LISTINGS).drop("table", "is_unmatched")
    remaining = parsed.where("is_unmatched").drop("is_unmatched")
    identified: list[DataFrame] = []
    oversized = []

    def without(records: DataFrame, ids: DataFrame) -> DataFrame:
        return checkpointed(records.join(small_side(ids), ["table", "id"], "left_anti"))

    def match_with(new_properties: DataFrame) -> None:
        nonlocal remaining
        rows = new_properties.withColumnRenamed("property_id", "id")
        prepared_properties = prepared(checkpointed(evidence_of(rows, city, settings)), settings)
        oversized.append(oversized_blocks(remaining, prepared_properties))
        identified.append(checkpointed(match(remaining, prepared_properties, settings)))
        remaining = without(remaining, identified[-1])

    properties = checkpointed(properties_of(sales, SALE_ORDER))
    match_with(properties)
    types = _types_with_units(addresses)
    for feed in listing_feeds:
        unmatched = listings.where((F.col("source_feed") == feed) & F.col("property_id").isNull()).drop("property_id")
        new = checkpointed(
            unmatched.join(small_side(_ids(identified, LISTINGS, "listing_id")), "listing_id", "left_anti")
        )
        new_ids = checkpointed(_new_ids(new, addresses, types, feed))
        if new_ids.isEmpty():
            continue
        new_properties = checkpointed(properties_of(new.join(small_side(new_ids), "listing_id"), LISTING_ORDER))
        properties = properties.unionByName(new_properties)
        identified.append(new_ids.withColumnRenamed("listing_id", "id").withColumn("table", F.lit(LISTINGS)))
        remaining = without(remaining, identified[-1])
        match_with(new_properties)
    sales = _with_ids(sales, _ids(identified, SALES, "transaction_id"))
    listings = _with_ids(listings, _ids(identified, LISTINGS, "listing_id"))
    return Identified(sales, listings, properties, pd.concat(oversized, ignore_index=True))


def _records(sales: DataFrame, listings: DataFrame) -> DataFrame:
    """The sales that may match a property, and all listings, with their `table` and `id`."""
    is_unmatched = F.col("property_id").isNull() & F.col("address").isNotNull()
    columns = [*ATTRIBUTES, "address", "latitude", "longitude"]
    parts = [
        rows.select(
            F.lit(table).alias("table"), F.col(id_column).alias("id"), is_unmatched.alias("is_unmatched"), *columns
        )
        for table, rows, id_column in (
            (SALES, sales.where(is_unmatched), "transaction_id"),
            (LISTINGS, listings, "listing_id"),
        )
    ]
    return parts[0].unionByName(parts[1])


def properties_of(records: DataFrame, order: list[str]) -> DataFrame:
    """One row a property with the last known value of each attribute; `order` names date and id."""
    latest_first = Window.partitionBy("property_id").orderBy(*map(F.desc, order))
    whole = latest_first.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    columns = [name for name in PROPERTY_COLUMNS if name != "property_id"]
    # One sort for all columns; an aggregate compares dates and ids again for each of them, at three times the cost.
    last = [F.first(name, ignorenulls=True).over(whole).alias(name) for name in columns]
    used = records.where(F.col("property_id").isNotNull()).select(*dict.fromkeys([*PROPERTY_COLUMNS, *order]))
    ranked = used.select("property_id", *last, F.row_number().over(latest_first).alias("rank"))
    return ranked.where("rank = 1").drop("rank")


def _types_with_units(addresses: DataFrame) -> list[str]:
    """The property types of which most listings have a unit number."""
    share = F.count("unit") / F.count("*")
    types = addresses.groupBy("property_type").agg(share.alias("share")).where(F.col("share") >= MIN_UNIT_SHARE)
    return [row["property_type"] for row in types.collect() if row["property_type"] is not None]


def _new_ids(listings: DataFrame, addresses: DataFrame, types_with_units: list[str], feed: str) -> DataFrame:
    """`listing_id` and the `property_id` of each listing: the id of the first listing with its address."""
    parts = [F.coalesce(F.col(name), F.lit("")) for name in ("street", "house", "unit", "property_type", "location")]
    needs_unit = F.col("property_type").isin(types_with_units)
    has_house = F.col("street").isNotNull() & F.col("house").isNotNull()
    is_complete = has_house & (F.col("unit").isNotNull() | ~needs_unit)
    dated = small_side(listings.select(*LISTING_ORDER)).join(
        addresses.withColumnRenamed("id", "listing_id"), "listing_id"
    )
    address = F.when(is_complete, F.concat_ws("|", *parts)).otherwise(F.col("listing_id"))
    by_address = Window.partitionBy("address").orderBy(*LISTING_ORDER)
    first = F.first("listing_id").over(by_address)
    prefix = f"{feed}:"
    # Listing ids of all feeds but the first already have the feed's name as prefix.
    without = F.when(first.startswith(prefix), F.substring(first, len(prefix) + 1, 1 << 30)).otherwise(first)
    new = dated.withColumn("address", address)
    return new.select("listing_id", F.concat(F.lit(prefix), without).alias("property_id"))


def _ids(identified: list[DataFrame], table: str, id_column: str) -> DataFrame:
    """The property that was found for each record of a table, as `found_id`."""
    of_table = functools.reduce(DataFrame.unionByName, identified).where(F.col("table") == table)
    return of_table.select(F.col("id").alias(id_column), F.col("property_id").alias("found_id"))


def _with_ids(records: DataFrame, ids: DataFrame) -> DataFrame:
    """The records with the property_id that was found where they had none."""
    property_id = F.coalesce("property_id", "found_id").alias("property_id")
    joined = records.join(small_side(ids), ids.columns[0], "left")
    return joined.select(*(property_id if name == "property_id" else name for name in records.columns))
