"""Stage `resolve` in Spark, for an external lake: `resolve` for tables that do not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution.accuracy_in_spark import accuracy
from homei.resolution.config import ResolveConfig
from homei.resolution.duplicates_in_spark import duplicate_listings, merge_duplicates
from homei.resolution.identification_in_spark import identify_properties
from homei.resolution.intermediate import checkpointed
from homei.resolution.resolve import market_settings, oversized_summary
from homei.resolution.sale_validation import CODES
from homei.resolution.sale_validation_in_spark import flag_sales
from homei.spark.config import SparkConfig
from homei.spark.session import is_local, session
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.spark_tables import SparkTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class FeedNames(NamedTuple):
    """The names of the feeds of each table, in order of precedence."""

    sales: list[str]
    listings: list[str]


class Resolved(NamedTuple):
    sales: DataFrame
    merged: DataFrame
    properties: DataFrame
    listings: DataFrame


TABLES = Resolved(lake.RESOLVED_SALES, lake.MERGED_SALES, lake.RESOLVED_PROPERTIES, lake.RESOLVED_LISTINGS)
KEYS = Resolved(["transaction_id"], ["transaction_id"], ["property_id"], ["listing_id"])


def run(city: CityConfig, resolve: ResolveConfig, storage: StorageConfig, spark: SparkConfig) -> dict[str, Any]:
    """Writes the tables of `resolve.run` to the external lake; returns the content of resolve.json."""
    engine = session(spark, storage)
    sales, listings = (spark_tables.read(engine, lake.VALID[table]) for table in ("sales", "listings"))
    feeds = feed_names()
    tables, oversized = resolve_tables(sales, listings, feeds, city, resolve)
    outputs = zip(tables, TABLES, KEYS, strict=True)
    spark_tables.write_all([SparkTable(frame, path, key) for frame, path, key in outputs], storage)
    written = Resolved(*(spark_tables.read(engine, path) for path in TABLES))
    registered = checkpointed(sales.select("property_id").dropna().distinct())
    inputs = None if is_local(spark) else storage
    return summary(written, feeds) | {
        "oversized_blocks": oversized_summary(oversized),
        "nominal_price": market_settings(city, resolve).nominal_price,
        "truth": accuracy(written.sales, written.listings, registered, feeds, city, inputs),
    }


def feed_names() -> FeedNames:
    """The feeds as stage `validate` lists them."""
    columns = lake.read(lake.FEED_COLUMNS, ["table_name", "feed"]).drop_duplicates()
    return FeedNames(*(columns.loc[columns["table_name"] == table, "feed"].tolist() for table in FeedNames._fields))


def resolve_tables(
    sales: DataFrame, listings: DataFrame, feeds: FeedNames, city: CityConfig, resolve: ResolveConfig
) -> tuple[Resolved, pd.DataFrame]:
    """The resolved tables, and the oversized blocks of property matching."""
    identified = identify_properties(sales, listings, feeds.listings, city, resolve)
    unique, merged = merge_duplicates(identified.sales, feeds.sales, resolve.merge)
    flagged = flag_sales(unique, city.coordinates, market_settings(city, resolve))
    resolved_listings = duplicate_listings(identified.listings, feeds.listings)
    return Resolved(flagged, merged, identified.properties, resolved_listings), identified.oversized


def summary(resolved: Resolved, feeds: FeedNames) -> dict[str, Any]:
    """The content of resolve.json as `resolve.summary`, from aggregates."""
    sales, merged, properties, listings = resolved
    has_code = [F.count_if(F.array_contains(F.split("market_reasons", "; "), code)).alias(code) for code in CODES]
    counts = sales.agg(F.count("*").alias("sales"), F.count_if("is_market").alias("market"), *has_code).first()
    n_sales = counts["sales"]
    by_feed = {row["source_feed"]: row["count"] for row in merged.groupBy("source_feed").count().collect()}
    sold = sales.select("property_id").unionByName(merged.select("property_id")).dropna().distinct()
    offered = (
        listings.join(sold.withColumn("is_sold", F.lit(True)), "property_id", "left")
        .groupBy("source_feed")
        .agg(
            F.count("*").alias("listings"),
            F.count("is_sold").alias("of_sold_properties"),
            F.count("duplicate_of").alias("duplicates"),
        )
    )
    listed = {row["source_feed"]: row.asDict() for row in offered.collect()}
    return {
        "properties": properties.count(),
        "sales": n_sales,
        "market_sales": counts["market"],
        "flagged_share": round(float(1 - counts["market"] / n_sales), 6) if n_sales else 0.0,
        "reasons": [{"reason": code, "sales": counts[code]} for code in CODES],
        "merged": [
            {"feed": feed, "sales": count}
            for feed, count in sorted(by_feed.items(), key=lambda item: (-item[1], item[0]))
        ],
        "listings": [
            {"feed": feed, **{name: count for name, count in listed[feed].items() if name != "source_feed"}}
            for feed in feeds.listings
            if feed in listed
        ],
    }
