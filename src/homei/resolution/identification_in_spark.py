"""Properties of sales and listings in Spark: `resolve.identify_properties` for tables that do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution.config import ResolveConfig
from homei.resolution.intermediate import kept
from homei.resolution.matching_in_spark import evidence_of, match, oversized_blocks, prepared
from homei.resolution.resolve import LISTING_ORDER, MIN_UNIT_SHARE, PROPERTY_COLUMNS, SALE_ORDER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

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
    addresses = kept(evidence_of(listings, "listing_id", city, settings))
    of_sales = evidence_of(_without_property(sales), "transaction_id", city, settings)
    of_listings = addresses.join(_without_property(listings).select(F.col("listing_id").alias("id")), "id")
    of_sales, of_listings = of_sales.withColumn("table", F.lit(SALES)), of_listings.withColumn("table", F.lit(LISTINGS))
    unmatched = kept(of_sales.unionByName(of_listings))
    found = unmatched.select("table", "id", F.lit(None).cast("string").alias("property_id")).limit(0)
    oversized = []

    def matched_with(new_properties: DataFrame) -> DataFrame:
        known = prepared(kept(evidence_of(new_properties, "property_id", city, settings)), settings)
        remaining = unmatched.join(found, ["table", "id"], "left_anti")
        oversized.append(oversized_blocks(remaining, known))
        return kept(found.unionByName(match(remaining, known, settings)))

    properties = kept(properties_of(sales, SALE_ORDER))
    found = matched_with(properties)
    types = _types_with_units(addresses)
    for feed in listing_feeds:
        own = listings.where((F.col("source_feed") == feed) & F.col("property_id").isNull()).drop("property_id")
        new = own.join(_ids(found, LISTINGS, "listing_id"), "listing_id", "left_anti")
        new_ids = kept(_new_ids(new, addresses, types, feed))
        if new_ids.isEmpty():
            continue
        new_properties = kept(properties_of(new.join(new_ids, "listing_id"), LISTING_ORDER))
        properties = properties.unionByName(new_properties)
        named = new_ids.withColumnRenamed("listing_id", "id").withColumn("table", F.lit(LISTINGS))
        found = found.unionByName(named)
        found = matched_with(new_properties)
    sales = _with_ids(sales, _ids(found, SALES, "transaction_id"))
    listings = _with_ids(listings, _ids(found, LISTINGS, "listing_id"))
    return Identified(sales, listings, properties, pd.concat(oversized, ignore_index=True))


def properties_of(records: DataFrame, order: list[str]) -> DataFrame:
    """One row a property with the last known value of each attribute; `order` names date and id."""
    columns = [name for name in PROPERTY_COLUMNS if name != "property_id"]
    last = [F.max_by(name, F.when(F.col(name).isNotNull(), F.struct(*order))).alias(name) for name in columns]
    return records.where(F.col("property_id").isNotNull()).groupBy("property_id").agg(*last)


def _without_property(records: DataFrame) -> DataFrame:
    return records.where(F.col("property_id").isNull() & F.col("address").isNotNull())


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
    dated = listings.select(*LISTING_ORDER).join(addresses.withColumnRenamed("id", "listing_id"), "listing_id")
    address = F.when(is_complete, F.concat_ws("|", *parts)).otherwise(F.col("listing_id"))
    by_address = Window.partitionBy("address").orderBy(*LISTING_ORDER)
    first = F.first("listing_id").over(by_address)
    prefix = f"{feed}:"
    # Listing ids of all feeds but the first already have the feed's name as prefix.
    without = F.when(first.startswith(prefix), F.substring(first, len(prefix) + 1, 1 << 30)).otherwise(first)
    new = dated.withColumn("address", address)
    return new.select("listing_id", F.concat(F.lit(prefix), without).alias("property_id"))


def _ids(found: DataFrame, table: str, id_column: str) -> DataFrame:
    """The property that was found for each record of a table, as `found_id`."""
    of_table = found.where(F.col("table") == table)
    return of_table.select(F.col("id").alias(id_column), F.col("property_id").alias("found_id"))


def _with_ids(records: DataFrame, ids: DataFrame) -> DataFrame:
    """The records with the property_id that was found where they had none."""
    property_id = F.coalesce("property_id", "found_id").alias("property_id")
    joined = records.join(ids, ids.columns[0], "left")
    return joined.select(*(property_id if name == "property_id" else name for name in records.columns))
