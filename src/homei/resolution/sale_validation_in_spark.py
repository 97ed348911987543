"""Sale validation in Spark: `sale_validation` for tables that do not fit into memory.

The sales of a pool are compared in chunks of weeks, each together with the earlier sales that it may be compared with.
So every comparison sees the same earlier sales as on one machine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.config.projection import Coordinates
from homei.resolution.config import MarketSaleConfig
from homei.resolution.intermediate import checkpointed, small_side
from homei.resolution.sale_validation import (
    PREVIOUS,
    SPACE,
    WEEKS,
    comparable_ratio,
    comparison_rows,
    market_flags,
    ratio_limits,
)

CHUNK_WEEKS = 26  # the shortest chunk; longer ones are multiples
HALO_CHUNKS = int(-(-WEEKS // CHUNK_WEEKS))
MULTIPLES = (64, 32, 16, 12, 8, 6, 4, 3, 2, 1)
MAX_GROUP = 1_000_000  # comparison rows of a group, about 0.3 GB in a Python worker
MIN_GROUP = 20_000
COMPARISON = {"pool": "string", "week": "bigint", "id": "string", **dict.fromkeys((*SPACE, "log_price"), "double")}
INPUT = ("transaction_id", "property_type", "location", "sale_date", "price", "square_meters", "year_built", "latitude",
         "longitude")  # fmt: skip
FLAGGED_BY = ("price", "sale_date", "seller_family", "buyer_family")  # with ratios, bulk transfers and PREVIOUS


def flag_sales(sales: DataFrame, coordinates: Coordinates, settings: MarketSaleConfig) -> DataFrame:
    """The sales with `is_market` and `market_reasons`, as `sale_validation.flag_sales`."""
    ratios = comparable_ratios(sales, coordinates).withColumnRenamed("id", "transaction_id")
    previous = checkpointed(_previous_sales(sales, ratios, settings))
    suspects = small_side(checkpointed(_suspects(sales, ratios, previous, settings)))
    rows = sales.select("transaction_id", *FLAGGED_BY).join(suspects, "transaction_id")
    # Each is small, as it has none but suspects.
    for marks in (ratios.join(suspects, "transaction_id"), previous, _bulk_transfers(sales, settings.bulk_properties)):
        rows = rows.join(small_side(checkpointed(marks)), "transaction_id", "left")
    rows = rows.fillna(False, ["is_bulk_day", "is_bulk_price"])

    def flag(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            flags = market_flags(batch, settings)
            yield pd.DataFrame({"transaction_id": batch["transaction_id"], **flags})[~flags["is_market"]]

    flagged = rows.mapInPandas(flag, "transaction_id string, is_market boolean, market_reasons string")
    joined = sales.join(small_side(checkpointed(flagged)), "transaction_id", "left")
    # `coalesce` would make the columns of the file required.
    flags = [
        F.when(F.col(name).isNull(), value).otherwise(F.col(name)).alias(name)
        for name, value in (("is_market", True), ("market_reasons", ""))
    ]
    return joined.select(*sales.columns, *flags)


def _suspects(sales: DataFrame, ratios: DataFrame, previous: DataFrame, settings: MarketSaleConfig) -> DataFrame:
    """`transaction_id` of all sales that `market_flags` can flag; most sales are not among them."""
    low, high = ratio_limits(settings)
    unusual = ratios.where((F.col("ratio") < low) | (F.abs("ratio") > high))
    nominal = sales.where(F.col("price") <= settings.nominal_price)
    ids = (rows.select("transaction_id") for rows in (unusual, nominal, previous))
    return functools.reduce(DataFrame.union, ids).distinct()


def comparable_ratios(sales: DataFrame, coordinates: Coordinates) -> DataFrame:
    """`id`, `ratio` and `spread` of each sale, as `sale_validation.comparable_ratio`."""

    def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = comparison_rows(pa.Table.from_batches([batch]).to_pandas(date_as_object=False), coordinates)
            yield pa.RecordBatch.from_pandas(rows.astype({"week": np.int64})[[*COMPARISON]], preserve_index=False)

    rows = checkpointed(sales.select(*INPUT).mapInArrow(rows_of, _schema(COMPARISON)))
    chunk = F.floor(F.col("week") / CHUNK_WEEKS)
    counts = rows.groupBy("pool", chunk.alias("chunk")).count().toPandas()
    if counts.empty:
        return rows.select("id", F.lit(None).cast("double").alias("ratio"), F.lit(None).cast("double").alias("spread"))
    plan = rows.sparkSession.createDataFrame(chunks_of(counts), "pool string, `group` bigint, weeks bigint")
    planned = rows.join(F.broadcast(plan), "pool")
    week_part = F.floor(F.col("week") / F.col("weeks"))
    last = F.floor((F.col("week") + int(WEEKS)) / F.col("weeks"))
    chunks = planned.withColumn("week_part", week_part).withColumn("part", F.explode(F.sequence("week_part", last)))
    chunks = chunks.withColumn("is_valued", F.col("week_part") == F.col("part"))
    used = chunks.select("group", "part", *COMPARISON, "is_valued")
    return checkpointed(used.groupBy("group", "part").applyInPandas(_valued, "id string, ratio double, spread double"))


def _valued(rows: pd.DataFrame) -> pd.DataFrame:
    ratio, spread = comparable_ratio(rows)
    valued = pd.DataFrame({"id": rows["id"], "ratio": ratio, "spread": spread})
    return valued[rows["is_valued"].to_numpy(bool)]


def chunks_of(counts: pd.DataFrame, largest: int | None = None) -> pd.DataFrame:
    """The `group` of each pool and the `weeks` of its chunks, from its numbers of sales by shortest chunk.

    Small pools share a group and are not cut. A large pool's chunks are as long as `largest` rows together with the
    halo permit.
    """
    largest = MAX_GROUP if largest is None else largest
    largest = min(largest, max(MIN_GROUP, int(counts["count"].sum() // 2)))
    plan, filled, group = [], 0, 0
    for pool, rows in counts.sort_values(["pool", "chunk"]).groupby("pool", sort=True):
        size = rows["count"].sum()
        if size <= largest:
            if filled + size > largest:
                filled, group = 0, group + 1
            filled += size
            plan.append((pool, group, 1 << 20))
            continue
        sizes = rows.set_index("chunk")["count"]
        sizes = sizes.reindex(range(sizes.index.min(), sizes.index.max() + 1), fill_value=0).to_numpy()
        fitting = (n for n in MULTIPLES if _largest_load(sizes, n) <= largest)
        plan.append((pool, -1 - len(plan), next(fitting, 1) * CHUNK_WEEKS))
    return pd.DataFrame(plan, columns=["pool", "group", "weeks"])


def _largest_load(sizes: np.ndarray, multiple: int) -> int:
    """The most sales of `multiple` chunks together with the halo before them."""
    window = np.ones(multiple + HALO_CHUNKS, dtype=np.int64)
    return int(np.convolve(sizes, window).max())


def _bulk_transfers(sales: DataFrame, n_properties: int) -> DataFrame:
    """`is_bulk_day` and `is_bulk_price` of the sales of which one buyer or seller has many on one day."""
    transfers = []
    for party in ("buyer", "seller"):
        with_party = sales.where(F.col(party).isNotNull()).select("transaction_id", party, "sale_date", "price")
        sizes = with_party.groupBy(party, "sale_date").count()
        days = checkpointed(sizes.where(F.col("count") >= n_properties).drop("count"))
        at_price = Window.partitionBy(party, "sale_date", "price")
        is_bulk_price = F.count("*").over(at_price) >= n_properties
        of_days = with_party.join(small_side(days), [party, "sale_date"])
        transfers.append(of_days.select("transaction_id", is_bulk_price.alias("is_bulk_price")))
    both = (
        transfers[0]
        .unionByName(transfers[1])
        .groupBy("transaction_id")
        .agg(F.bool_or("is_bulk_price").alias("is_bulk_price"))
    )
    return both.withColumn("is_bulk_day", F.lit(True))


def _previous_sales(sales: DataFrame, ratios: DataFrame, settings: MarketSaleConfig) -> DataFrame:
    """PREVIOUS of each sale that can be a quick resale, at more than a nominal price."""
    is_counted = F.col("property_id").isNotNull() & (F.col("price") > settings.nominal_price)
    by_property = Window.partitionBy("property_id").orderBy("sale_date", "transaction_id")
    date, price, last_id = (F.lag(name).over(by_property) for name in ("sale_date", "price", "transaction_id"))
    rows = sales.where(is_counted).select(
        "transaction_id",
        "sale_date",
        date.alias("previous_date"),
        price.alias("previous_price"),
        last_id.alias("last_id"),
    )
    days = F.date_diff("sale_date", "previous_date")
    soon = checkpointed(rows.where((days > 0) & (days <= settings.resale_days)))
    of_last = ratios.select(F.col("transaction_id").alias("last_id"), F.col("ratio").alias("previous_ratio"))
    return of_last.join(small_side(soon), "last_id").select("transaction_id", *PREVIOUS)


def _schema(columns: dict[str, str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
