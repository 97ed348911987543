"""Duplicate sales and listings in Spark, for large tables.

Gives the results of `duplicate_sales` and `resolve.duplicate_listings`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812

from homei.resolution.config import MergeConfig
from homei.resolution.duplicate_sales import differences
from homei.resolution.identical_units import is_same_area
from homei.resolution.intermediate import checkpointed, small_side
from homei.resolution.matching_in_spark import Batches
from homei.resolution.resolve import MAX_GAP

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PAIRS = "left string, right string, days bigint, change double"
COMPARED = ("transaction_id", "property_id", "location", "property_type", "square_meters", "price", "sale_date")
MAX_DATE = datetime.date(9999, 12, 31)


def merge_duplicates(sales: DataFrame, feeds: list[str], settings: MergeConfig) -> tuple[DataFrame, DataFrame]:
    """The sales without duplicates, and the duplicates with `merged_into`.

    As `duplicate_sales.merge_duplicates`.
    """
    schema = "transaction_id string, merged_into string, rank int"
    replaced = sales.sparkSession.createDataFrame([], schema)
    slim = sales.select(*COMPARED, "source_feed")
    for position, feed in enumerate(feeds[1:], 1):
        reports = checkpointed(slim.where(F.col("source_feed") == feed))
        preferred = slim.where(F.col("source_feed").isin(feeds[:position])).join(
            small_side(replaced), "transaction_id", "left_anti"
        )
        pairs = _same_sales(reports, preferred, settings)
        named = pairs.select(F.col("left").alias("transaction_id"), F.col("right").alias("merged_into"),
                             F.lit(position).alias("rank"))  # fmt: skip
        replaced = checkpointed(replaced.unionByName(named))
    if len(feeds) < 2:
        return sales, sales.limit(0).withColumn("merged_into", F.lit(None).cast("string"))
    unique = sales.join(small_side(replaced), "transaction_id", "left_anti").select(*sales.columns)
    merged = sales.join(small_side(replaced), "transaction_id").select(*sales.columns, "merged_into", "rank")
    merged = checkpointed(merged)
    return _filled(unique, merged), merged.drop("rank")


def _same_sales(reports: DataFrame, preferred: DataFrame, settings: MergeConfig) -> DataFrame:
    """The `left` id of each report of a sale that is preferred as `right`."""
    # A little wider than the largest change, so that rounding loses no pair; the change itself is compared below.
    width = 1.001 * max(float(np.log1p(settings.price)), 1e-6)
    band = F.floor(F.log("price") / width)
    left, right = (
        rows.select(*(F.col(name).alias(f"{side}_{name}") for name in COMPARED), band.alias(f"{side}_band"))
        for side, rows in (("a", reports), ("b", preferred))
    )
    left = small_side(left).withColumn("band", F.explode(F.array(*(F.col("a_band") + step for step in (-1, 0, 1)))))
    days = F.abs(F.date_diff("a_sale_date", "b_sale_date")) <= settings.days
    is_known = F.col("a_property_id").isNotNull() & F.col("b_property_id").isNotNull()
    same_property = left.join(right, (F.col("a_property_id") == F.col("b_property_id")) & _in_band() & days)
    same_kind = (F.col("a_location") == F.col("b_location")) & (F.col("a_property_type") == F.col("b_property_type"))
    # Units sold from one price list have equal prices, types and areas, so two known properties must be the same.
    similar = left.join(right, same_kind & _in_band() & days & ~is_known)
    pairs = same_property.unionByName(similar).mapInPandas(_comparing(settings), PAIRS).distinct()
    by_left = Window.partitionBy("left").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    unambiguous = pairs.withColumn("n_originals", F.count("right").over(by_left)).where("n_originals = 1")
    # Two reports of one feed are two sales, so only the nearer one is a duplicate.
    by_right = Window.partitionBy("right").orderBy("days", "change", "left")
    return unambiguous.withColumn("nearness", F.row_number().over(by_right)).where("nearness = 1")


def _in_band() -> Column:
    return F.col("band") == F.col("b_band")


def _comparing(settings: MergeConfig) -> Batches:
    def compare(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for pairs in batches:
            left, right = (
                pairs[[f"{side}_{name}" for name in COMPARED]].set_axis([*COMPARED], axis=1) for side in "ab"
            )
            result = pd.DataFrame(
                {"left": left["transaction_id"], "right": right["transaction_id"], **differences(left, right)}
            )
            same_property = (left["property_id"] == right["property_id"]) & left["property_id"].notna()
            areas = (rows["square_meters"].to_numpy(float) for rows in (left, right))
            fits = same_property | is_same_area(*areas, settings.area)
            yield result[fits & (result["change"] <= np.log1p(settings.price)) & (result["days"] <= settings.days)]

    return compare


def _filled(unique: DataFrame, merged: DataFrame) -> DataFrame:
    """The sales without duplicates, with missing values filled from them, first feed first."""
    columns = [name for name in unique.columns if not name.startswith("source_")]
    first = [F.min_by(name, F.when(F.col(name).isNotNull(), F.col("rank"))).alias(f"other_{name}") for name in columns]
    others = checkpointed(merged.groupBy("merged_into").agg(*first).withColumnRenamed("merged_into", "transaction_id"))
    joined = unique.join(small_side(others), "transaction_id", "left")
    filled = {name: F.coalesce(name, f"other_{name}").alias(name) for name in columns if name != "transaction_id"}
    return joined.select(*(filled.get(name, F.col(name)) for name in unique.columns))


def duplicate_listings(listings: DataFrame, feeds: list[str]) -> DataFrame:
    """The listings with `duplicate_of`, as `resolve.duplicate_listings`."""
    days = int(MAX_GAP.astype(int))
    ranks = F.create_map(*(F.lit(part) for position, feed in enumerate(feeds) for part in (feed, position)))
    rank = ranks[F.col("source_feed")] if feeds else F.lit(0)
    closed = F.coalesce("closed_on", F.lit(MAX_DATE))
    offers = listings.where(F.col("property_id").isNotNull()).select(
        "property_id", "listing_id", rank.alias("rank"), F.col("listed_on").alias("opened"), closed.alias("closed")
    )
    offers = checkpointed(offers)
    other = offers.select(*(F.col(name).alias(f"preferred_{name}") for name in offers.columns))
    opened, preferred_opened, preferred_closed = (
        F.unix_date(name) for name in ("opened", "preferred_opened", "preferred_closed")
    )
    is_duplicate = (
        (F.col("property_id") == F.col("preferred_property_id"))
        & (F.col("rank") > F.col("preferred_rank"))
        & (opened >= preferred_opened - days)
        & (opened <= preferred_closed + days)
    )
    nearness = F.struct("preferred_rank", F.abs(opened - preferred_opened), "preferred_listing_id")
    duplicates = checkpointed(
        offers.join(other, is_duplicate)
        .groupBy("listing_id")
        .agg(F.min_by("preferred_listing_id", nearness).alias("duplicate_of"))
    )
    return listings.join(small_side(duplicates), "listing_id", "left").select(*listings.columns, "duplicate_of")
