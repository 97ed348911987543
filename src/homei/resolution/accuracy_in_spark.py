"""Accuracy of resolution in Spark: `resolution_accuracy` for tables that do not fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution.resolution_accuracy import share
from homei.storage import spark_tables
from homei.storage.config import StorageConfig

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def accuracy(
    sales: DataFrame,
    listings: DataFrame,
    registered: DataFrame,
    feeds: tuple[list[str], list[str]],
    city: CityConfig,
    inputs: StorageConfig | None,
) -> dict[str, Any] | None:
    """As `resolution_accuracy.accuracy`; `registered` has the property_id of registered properties.

    `feeds` are the names of the sales' and of the listings' feeds in order of precedence. The truth is first copied to
    the lake of `inputs`.
    """
    if city.truth is None:
        return None
    truth, engine = Path(city.folder) / city.truth, sales.sparkSession
    true_listings = spark_tables.read_inputs(engine, truth.with_name("listings.parquet"), inputs)
    true_sales = spark_tables.read_inputs(engine, truth, inputs)
    sale_feeds, listing_feeds = map(_with_records, (sales, listings), feeds)
    register = sales.where(F.col("source_feed").isin(sale_feeds[:1]))
    return {
        "sale_validation": _flag_accuracy(register, true_sales),
        "listings": [
            {"feed": feed, **_match_accuracy(listings, true_listings, registered, feed, has_prefix=position > 0)}
            for position, feed in enumerate(listing_feeds)
        ],
    }


def _with_records(records: DataFrame, feeds: list[str]) -> list[str]:
    """The feeds that have records."""
    present = {row["source_feed"] for row in records.select("source_feed").distinct().collect()}
    return [feed for feed in feeds if feed in present]


def _flag_accuracy(sales: DataFrame, truth: DataFrame) -> dict[str, float | None]:
    clean = truth.where(F.col("fault").isNull()).groupBy("transaction_id").agg(F.min("non_market").alias("non_market"))
    odd = clean.where(F.col("non_market").isNotNull()).select("transaction_id", F.lit(True).alias("is_odd"))
    # Sales in quarantine are excluded from training too.
    joined = sales.select("transaction_id", "is_market").join(odd, "transaction_id", "full")
    is_flagged = ~F.coalesce("is_market", F.lit(False))
    is_odd = F.col("is_odd").isNotNull()
    counts = joined.agg(
        F.count_if(is_odd & is_flagged), F.count_if(is_odd), F.count_if(~is_odd & is_flagged), F.count_if(~is_odd)
    ).first()
    return {"recall": share(counts[0], counts[1]), "false_share": share(counts[2], counts[3])}


def _match_accuracy(
    listings: DataFrame, truth: DataFrame, registered: DataFrame, feed: str, has_prefix: bool
) -> dict[str, float | None]:
    listing_id = F.concat(F.lit(f"{feed}:"), "listing_id") if has_prefix else F.col("listing_id")
    true = truth.where(F.col("feed") == feed).select(listing_id.alias("listing_id"), F.col("property_id").alias("true"))
    matched = listings.select("listing_id", "property_id").join(registered, "property_id", "left_semi")
    counts = (
        true.join(matched, "listing_id", "left")
        .agg(F.count_if(F.col("property_id") == F.col("true")), F.count("property_id"), F.count("true"))
        .first()
    )
    return {"precision": share(counts[0], counts[1]), "recall": share(counts[0], counts[2])}
