"""Properties of sales and listings in Spark: `resolve.identify_properties` for tables that do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution.config import ResolveConfig
from homei.resolution.matching_in_spark import evidence_of, match, oversized_blocks, prepared
from homei.resolution.resolve import LISTING_ORDER, MIN_UNIT_SHARE, PROPERTY_COLUMNS, SALE_ORDER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
    unmatched = {
        "sales": kept(evidence_of(_without_property(sales), "transaction_id", city, settings)),
        "listings": kept(addresses.join(_without_property(listings).select(F.col("listing_id").alias("id")), "id")),
    }
    ids = {table: rows.select("id", F.lit(None).cast("string").alias("property_id")).limit(0)
           for table, rows in unmatched.items()}  # fmt: skip
    oversized = []

    def match_all(properties: DataFrame) -> None:
        known = prepared(kept(evidence_of(properties, "property_id", city, settings)), settings)
        for table, rows in unmatched.items():
            records = rows.join(ids[table], "id", "left_anti")
            ids[table] = kept(ids[table].unionByName(match(records, known, settings)))
            oversized.append(oversized_blocks(records, known))

    properties = [kept(properties_of(sales, SALE_ORDER))]
    match_all(properties[0])
    types = _types_with_units(addresses, listings)
    for feed in listing_feeds:
        own = listings.where((F.col("source_feed") == feed) & F.col("property_id").isNull())
        new = own.drop("property_id").join(ids["listings"], own["listing_id"] == ids["listings"]["id"], "left_anti")
        new_ids = kept(_new_ids(new, addresses, types, feed))
        if new_ids.isEmpty():
            continue
        ids["listings"] = ids["listings"].unionByName(new_ids.withColumnRenamed("listing_id", "id"))
        properties.append(kept(properties_of(new.join(new_ids, "listing_id"), LISTING_ORDER)))
        match_all(properties[-1])
    every = properties[0]
    for more in properties[1:]:
        every = every.unionByName(more)
    return Identified(
        _with_ids(sales, "transaction_id", ids["sales"]),
        _with_ids(listings, "listing_id", ids["listings"]),
        every,
        pd.concat(oversized, ignore_index=True),
    )


def kept(frame: DataFrame) -> DataFrame:
    """The frame, computed once and kept on the executors' disks while the session lives.

    Its plan is forgotten: plans that grow from feed to feed take Spark longer to print than to run.
    """
    return frame.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)


def properties_of(records: DataFrame, order: list[str]) -> DataFrame:
    """One row a property with the last known value of each attribute; `order` names date and id."""
    columns = [name for name in PROPERTY_COLUMNS if name != "property_id"]
    last = [F.max_by(name, F.when(F.col(name).isNotNull(), F.struct(*order))).alias(name) for name in columns]
    return records.where(F.col("property_id").isNotNull()).groupBy("property_id").agg(*last)


def _without_property(records: DataFrame) -> DataFrame:
    return records.where(F.col("property_id").isNull() & F.col("address").isNotNull())


def _types_with_units(addresses: DataFrame, listings: DataFrame) -> list[str]:
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


def _with_ids(records: DataFrame, id_column: str, ids: DataFrame) -> DataFrame:
    """The records with the property_id that was found where they had none."""
    found = ids.select(F.col("id").alias(id_column), F.col("property_id").alias("found_id"))
    property_id = F.coalesce("property_id", "found_id").alias("property_id")
    joined = records.join(found, id_column, "left")
    return joined.select(*(property_id if name == "property_id" else name for name in records.columns))
