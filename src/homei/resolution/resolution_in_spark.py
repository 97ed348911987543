"""Stage `resolve` in Spark, for an external lake: `resolve` for tables that do not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.config.feeds import FeedsConfig
from homei.resolution.config import ResolveConfig
from homei.resolution.duplicates_in_spark import duplicate_listings, merge_duplicates
from homei.resolution.identification_in_spark import identify_properties, kept
from homei.resolution.resolve import market_settings
from homei.resolution.sale_validation import CODES
from homei.resolution.sale_validation_in_spark import flag_sales

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Resolved(NamedTuple):
    sales: DataFrame
    merged: DataFrame
    properties: DataFrame
    listings: DataFrame


def resolve_tables(
    sales: DataFrame, listings: DataFrame, feeds: FeedsConfig, city: CityConfig, resolve: ResolveConfig
) -> tuple[Resolved, pd.DataFrame]:
    """The resolved tables, and the oversized blocks of property matching."""
    sales_feeds, listing_feeds = ([feed.name for feed in table] for table in (feeds.sales, feeds.listings))
    identified = identify_properties(sales, listings, listing_feeds, city, resolve)
    unique, merged = merge_duplicates(kept(identified.sales), sales_feeds, resolve.merge)
    flagged = flag_sales(kept(unique), city.coordinates, market_settings(city, resolve))
    resolved_listings = duplicate_listings(identified.listings, listing_feeds)
    return Resolved(flagged, merged, identified.properties, resolved_listings), identified.oversized


def summary(resolved: Resolved, feeds: FeedsConfig) -> dict[str, Any]:
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
            {"feed": feed.name, **{name: count for name, count in listed[feed.name].items() if name != "source_feed"}}
            for feed in feeds.listings
            if feed.name in listed
        ],
    }
