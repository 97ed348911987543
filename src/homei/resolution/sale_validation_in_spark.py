"""Sale validation in Spark: `sale_validation` for tables that do not fit into memory.

The sales of a pool are compared in chunks of weeks, each together with the earlier sales that it may be compared with.
So every comparison sees the same earlier sales as on one machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BooleanType, StringType, StructField, StructType

from homei.config.projection import Coordinates
from homei.resolution.config import MarketSaleConfig
from homei.resolution.intermediate import kept
from homei.resolution.sale_validation import (
    PREVIOUS,
    SPACE,
    WEEKS,
    comparable_ratio,
    comparison_rows,
    market_flags,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHUNK_WEEKS = 26  # the shortest chunk; longer ones are multiples
HALO_CHUNKS = int(-(-WEEKS // CHUNK_WEEKS))
MULTIPLES = (64, 16, 8, 4, 2, 1)
MAX_GROUP = 1_000_000  # comparison rows of a group, about 0.3 GB in a Python worker
MIN_GROUP = 20_000
COMPARISON = {"pool": "string", "week": "bigint", "id": "string", **dict.fromkeys((*SPACE, "log_price"), "double")}
INPUT = ("transaction_id", "property_type", "location", "sale_date", "price", "square_meters", "year_built", "latitude",
         "longitude")  # fmt: skip
FLAGGED_BY = ("price", "sale_date", "seller_family", "buyer_family", "ratio", "spread", "is_bulk_day", "is_bulk_price",
              *PREVIOUS)  # fmt: skip


def flag_sales(sales: DataFrame, coordinates: Coordinates, settings: MarketSaleConfig) -> DataFrame:
    """The sales with `is_market` and `market_reasons`, as `sale_validation.flag_sales`."""
    ratios = comparable_ratios(sales, coordinates).withColumnRenamed("id", "transaction_id")
    # All joins are by transaction_id, so that the sales are sent across the cluster once.
    rows = sales
    for marks in (ratios, _bulk_transfers(sales, settings.bulk_properties), _previous_sales(sales, ratios, settings)):
        rows = rows.join(marks, "transaction_id", "left")
    rows = rows.fillna(False, ["is_bulk_day", "is_bulk_price"])
    flags = [StructField("is_market", BooleanType()), StructField("market_reasons", StringType())]
    schema, names = StructType([*sales.schema.fields, *flags]), sales.columns

    def flag(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            used = pa.Table.from_batches([batch]).select([*FLAGGED_BY]).to_pandas(date_as_object=False)
            flags = market_flags(used, settings)
            columns = [pa.array(flags["is_market"], pa.bool_()), pa.array(flags["market_reasons"], pa.string())]
            kept_columns = [batch.column(name) for name in names]
            yield pa.RecordBatch.from_arrays([*kept_columns, *columns], [*names, "is_market", "market_reasons"])

    return rows.mapInArrow(flag, schema)


def comparable_ratios(sales: DataFrame, coordinates: Coordinates) -> DataFrame:
    """`id`, `ratio` and `spread` of each sale, as `sale_validation.comparable_ratio`."""

    def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = comparison_rows(pa.Table.from_batches([batch]).to_pandas(date_as_object=False), coordinates)
            yield pa.RecordBatch.from_pandas(rows.astype({"week": np.int64})[[*COMPARISON]], preserve_index=False)

    rows = kept(sales.select(*INPUT).mapInArrow(rows_of, _schema(COMPARISON)))
    chunk = F.floor(F.col("week") / CHUNK_WEEKS)
    counts = rows.groupBy("pool", chunk.alias("chunk")).count().toPandas()
    if counts.empty:
        return rows.select("id", F.lit(None).cast("double").alias("ratio"), F.lit(None).cast("double").alias("spread"))
    plan = rows.sparkSession.createDataFrame(chunks_of(counts), "pool string, `group` bigint, weeks bigint")
    planned = rows.join(F.broadcast(plan), "pool")
    own = F.floor(F.col("week") / F.col("weeks"))
    last = F.floor((F.col("week") + int(WEEKS)) / F.col("weeks"))
    chunks = planned.withColumn("own", own).withColumn("part", F.explode(F.sequence("own", last)))
    chunks = chunks.withColumn("is_valued", F.col("own") == F.col("part"))
    used = chunks.select("group", "part", *COMPARISON, "is_valued")
    return kept(used.groupBy("group", "part").applyInPandas(_valued, "id string, ratio double, spread double"))


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
    largest = min(largest, max(MIN_GROUP, int(counts["count"].sum() // 4)))
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
    found = []
    for party in ("buyer", "seller"):
        known = sales.where(F.col(party).isNotNull()).select("transaction_id", party, "sale_date", "price")
        on_day, at_price = (Window.partitionBy(party, *more) for more in (["sale_date"], ["sale_date", "price"]))
        counted = known.select(
            "transaction_id",
            (F.count("*").over(on_day) >= n_properties).alias("is_bulk_day"),
            (F.count("*").over(at_price) >= n_properties).alias("is_bulk_price"),
        )
        found.append(counted.where("is_bulk_day"))
    both = found[0].unionByName(found[1]).groupBy("transaction_id")
    return both.agg(*(F.bool_or(name).alias(name) for name in ("is_bulk_day", "is_bulk_price")))


def _previous_sales(sales: DataFrame, ratios: DataFrame, settings: MarketSaleConfig) -> DataFrame:
    """PREVIOUS of each sale of a known property at more than a nominal price."""
    is_counted = F.col("property_id").isNotNull() & (F.col("price") > settings.nominal_price)
    columns = ("sale_date", "price", "ratio")
    rows = sales.where(is_counted).select("transaction_id", "property_id", "sale_date", "price")
    by_property = Window.partitionBy("property_id").orderBy("sale_date", "transaction_id")
    previous = [F.lag(name).over(by_property).alias(alias) for name, alias in zip(columns, PREVIOUS, strict=True)]
    return rows.join(ratios, "transaction_id").select("transaction_id", *previous)


def _schema(columns: dict[str, str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
