"""Comparable features in Spark, for a pool of sales that does not fit into memory.

Gives the results of `adjustments.comparable_features`. `Comparables` searches in each tile of a property type (see
`comparable_tiles`). What depends on the whole pool is computed before: the attributes that are compared in each month,
and the typical attributes that replace missing ones. The few searches that a tile's halo does not decide are repeated
with a halo of the whole search radius. So the results are those of a search in the whole pool.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F  # noqa: N812

from homei.features import typical_attributes_in_spark
from homei.features.adjustments import EQUATIONS, adjustments_table, pair_equations
from homei.features.columns import COMPARABLE_COLUMNS
from homei.features.comparables import DIGITS, Comparables
from homei.features.neighbours import ADJUSTED, adjusted_level
from homei.features.pool_statistics import COMPARED, KNOWN, PoolStatistics
from homei.features.tile_search_in_spark import (
    ATTRIBUTES,
    FILLS,
    SEARCHED,
    Pool,
    rows_by_attributes,
    rows_by_position,
    schema_names,
    search,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

logger = logging.getLogger(__name__)

MAX_SALES = 200_000  # of a tile without its halo: about 100 MB of a Python worker
DIFFERENCES = [f"difference_{name}" for name in ADJUSTED]
SUMMARY_SCHEMA = ", ".join(
    ["transaction_id string, month bigint, is_decided boolean, mean_u double, comparable_distance double"]
    + [f"{name} double" for name in DIFFERENCES]
    + [f"{name} bigint" for name in EQUATIONS]
)
ALIKE_SCHEMA = "transaction_id string, month bigint, is_decided boolean, alike_distance double"


class ComparableTables(NamedTuple):
    """The comparable features of the queried sales by transaction_id, and the adjustments by month."""

    features: DataFrame
    adjustments: pd.DataFrame
    repeated: dict[str, int]  # how many searches were repeated with a larger halo


def comparable_features(
    pool: DataFrame,
    queries: DataFrame,
    config: ComparablesConfig,
    coordinates: Coordinates,
    last_month: int,
    max_sales: int = MAX_SALES,
) -> ComparableTables:
    """The features of `queries`, which are sales of the pool, and the adjustments from their pairs.

    `pool` and `queries` have SEARCHED and location. The adjustments are for the months up to `last_month`.
    """
    pool, queries = (_without_nan(rows) for rows in (pool, queries))
    counts = count_pool(pool)
    statistics = PoolStatistics.of_counts(counts)
    first_month = int(counts["month"].min()) if len(counts) else last_month
    compared = compared_by_month(statistics, range(first_month + 1, last_month + 1), config)
    parts = Pool(pool, statistics, compared, config, coordinates, max_sales)
    filled = _with_typical_attributes(queries, parts).persist()
    summaries, repeated = search(rows_by_position(filled, parts), parts, summarise, SUMMARY_SCHEMA)
    alike, alike_repeated = search(rows_by_attributes(filled, parts), parts, alike_distances, ALIKE_SCHEMA)
    logger.info("searches repeated with a larger halo: %d nearest, %d most alike", repeated, alike_repeated)
    sums = summaries.groupBy("month").agg(*(F.sum(name).alias(name) for name in EQUATIONS)).collect()
    equations = {row["month"]: pd.array(row[1:], dtype="int64").to_numpy() for row in sums}
    adjustments = adjustments_table(equations, first_month, last_month, config)
    features = _adjusted(alike.drop("month", "is_decided"), summaries, adjustments)
    return ComparableTables(features, adjustments, {"nearest": repeated, "alike": alike_repeated})


def count_pool(pool: DataFrame) -> pd.DataFrame:
    """The counts of `PoolStatistics.of_counts`, by month and property_type."""
    usable = F.col("u").isNotNull()
    has_area = F.col("square_meters") > 0
    has_value = {name: F.col(column).isNotNull() for name, column in ATTRIBUTES.items()} | {"log_area": has_area}
    return (
        pool.groupBy("month", "property_type")
        .agg(
            F.count_if(usable).alias("usable"),
            *(F.count_if(usable & has_value[name]).alias(column) for name, column in zip(COMPARED, KNOWN, strict=True)),
            F.count_if(usable & ~F.coalesce(has_area, F.lit(False))).alias("whole"),
        )
        .toPandas()
    )


def compared_by_month(statistics: PoolStatistics, months: range, config: ComparablesConfig) -> pd.DataFrame:
    """month, property_type and whether each of COMPARED is compared.

    Months without earlier sales are left out.
    """
    rows = []
    for month in months:
        if (compared := statistics.compared(month, config.months)) is not None:
            rows += [(month, name, *compared[code].tolist()) for code, name in enumerate(statistics.types)]
    return pd.DataFrame(rows, columns=["month", "property_type", *COMPARED]).astype(dict.fromkeys(COMPARED, bool))


def _without_nan(rows: DataFrame) -> DataFrame:
    numbers = ("u", *ATTRIBUTES.values())
    return rows.select(*SEARCHED, "location").withColumns({name: F.nanvl(name, F.lit(None)) for name in numbers})


def _with_typical_attributes(queries: DataFrame, pool: Pool) -> DataFrame:
    """Queries of types with earlier sales, with is_incomplete, has_positions (are compared) and FILLS."""
    engine = queries.sparkSession
    schema = ", ".join(["month bigint, property_type string", *(f"compared_{name} boolean" for name in COMPARED)])
    compared = engine.createDataFrame(pool.compared.set_axis(schema_names(schema), axis=1), schema)
    missing = [F.col(f"compared_{name}") & F.col(column).isNull() for name, column in ATTRIBUTES.items()]
    is_incomplete = missing[0] | missing[1] | missing[2] | missing[3] | missing[4]
    searchable = queries.join(F.broadcast(compared), ["month", "property_type"]).select(
        *queries.columns,
        is_incomplete.alias("is_incomplete"),
        (F.col("compared_x") & F.col("compared_y")).alias("has_positions"),
    )
    incomplete = searchable.where("is_incomplete")
    typical = typical_attributes_in_spark.typical_attributes(
        pool.sales, incomplete, pool.statistics, pool.config, pool.coordinates
    )
    same = (incomplete["month"] == typical["of_month"]) & (incomplete["property_type"] == typical["of_type"])
    same &= incomplete["location"].eqNullSafe(typical["of_location"])
    filled = incomplete.join(typical, same, "left").select(*searchable.columns, *FILLS)
    complete = searchable.where(~F.col("is_incomplete"))
    return complete.select("*", *(F.lit(None).cast("double").alias(name) for name in FILLS)).unionByName(filled)


def summarise(comparables: Comparables, columns: dict[str, Any], config: ComparablesConfig) -> tuple[dict, np.ndarray]:
    """The summaries of queried sales, and the distance within which all sales must be known for them."""
    summary = comparables.summarise(columns)
    values = {"mean_u": summary.u, "comparable_distance": summary.distance.round(DIGITS)}
    values |= dict(zip(DIFFERENCES, summary.differences.T, strict=True))
    values |= dict(zip(EQUATIONS, pair_equations(summary, columns["u"], config).T, strict=True))
    last = summary.neighbours.distance[:, -1]
    return values, np.nan_to_num(last, nan=np.inf)


def alike_distances(
    comparables: Comparables, columns: dict[str, Any], config: ComparablesConfig
) -> tuple[dict, np.ndarray]:
    """The distances of the most alike sales, and the distance within which all sales are needed for them."""
    distances = comparables.alike_distances(columns)
    return {"alike_distance": distances.round(DIGITS)}, distances


def _adjusted(alike: DataFrame, summaries: DataFrame, adjustments: pd.DataFrame) -> DataFrame:
    """COMPARABLE_COLUMNS by transaction_id; null without comparables."""
    schema = ", ".join(["month bigint", *(f"adjustment_{name} double" for name in ADJUSTED)])
    by_month = alike.sparkSession.createDataFrame(adjustments.set_axis(schema_names(schema), axis=1), schema)
    level = adjusted_level(
        F.col("mean_u"), [F.col(name) for name in DIFFERENCES], [F.col(f"adjustment_{name}") for name in ADJUSTED]
    )
    unit = 10**DIGITS
    rounded = F.rint(level * unit) / unit  # as NumPy rounds
    levels = summaries.join(F.broadcast(by_month), "month").select(
        "transaction_id", rounded.alias(COMPARABLE_COLUMNS[0]), COMPARABLE_COLUMNS[1]
    )
    return alike.join(levels, "transaction_id", "left").select("transaction_id", *COMPARABLE_COLUMNS)
