"""Typical attributes that replace missing ones, computed in Spark by location.

Gives the results of `TypicalAttributes.attributes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyspark.sql import functions as F  # noqa: N812

from homei.features.comparables import Comparables
from homei.features.pool_statistics import COMPARED, PoolStatistics
from homei.features.typical_attributes import TypicalAttributes

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

KEYS = ["of_month", "of_type", "of_location"]
FILLS = [f"typical_{name}" for name in COMPARED]
SALE = ["month", "property_type", "location", "u", "longitude", "latitude", "floor", "square_meters", "year_built"]
SALES_OF_GROUP = 100_000
SCHEMA = ", ".join(["of_month bigint, of_type string, of_location string, is_found boolean",
                    *(f"{name} double" for name in FILLS)])  # fmt: skip
NAMES = [*KEYS, "is_found", *FILLS]


def typical_attributes(
    pool: DataFrame,
    incomplete: DataFrame,
    statistics: PoolStatistics,
    config: ComparablesConfig,
    coordinates: Coordinates,
) -> DataFrame:
    """KEYS and FILLS of the months, types and locations of the `incomplete` properties.

    The sales of a type in a location fit into a worker. Where a location has none, those of the whole city are used.
    """
    keys = [F.col(name).alias(key) for name, key in zip(("month", "property_type", "location"), KEYS, strict=True)]
    needed = incomplete.select(*keys).distinct()
    # Aliases, because both sides are made from the same sales and Spark could not tell their columns apart.
    aliased = pool.select(*(F.col(name).alias(name) for name in SALE))
    usable = aliased.where(F.col("u").isNotNull() & F.col("property_type").isNotNull())
    is_same_place = (F.col("property_type") == F.col("of_type")) & F.col("location").eqNullSafe(F.col("of_location"))
    places = needed.select("of_type", "of_location").distinct()
    near = usable.join(F.broadcast(places), is_same_place, "left_semi")
    # One group for many places: each group costs milliseconds.
    n_groups = max(pool.sparkSession.sparkContext.defaultParallelism, -(-statistics.n_usable // SALES_OF_GROUP))
    in_location = _medians(TypicalAttributes.of_location, KEYS, statistics, config, coordinates)
    by_location = (
        needed.groupBy(_group(n_groups, "of_type", "of_location"))
        .cogroup(near.groupBy(_group(n_groups, "property_type", "location")))
        .applyInPandas(in_location, SCHEMA)
        .persist()
    )
    others = by_location.where("NOT is_found").select(*KEYS)
    by_type = others.select("of_month", "of_type").distinct().withColumn("of_location", F.lit(None).cast("string"))
    window = F.sequence(F.col("of_month") - config.months, F.col("of_month") - 1)
    months = by_type.select(F.col("of_type").alias("property_type"), F.explode(window).alias("month")).distinct()
    anywhere = usable.join(F.broadcast(months), ["property_type", "month"], "left_semi")
    in_city = _medians(TypicalAttributes.of_type, KEYS[:2], statistics, config, coordinates)
    of_city = by_type.groupBy("of_type").cogroup(anywhere.groupBy("property_type")).applyInPandas(in_city, SCHEMA)
    from_city = others.join(of_city.drop("of_location", "is_found"), ["of_month", "of_type"], "left")
    return by_location.where("is_found").select(*KEYS, *FILLS).unionByName(from_city.select(*KEYS, *FILLS))


def _group(n_groups: int, *names: str) -> Column:
    return F.pmod(F.xxhash64(*names), F.lit(n_groups)).alias("group")


def _medians(
    typical_of: Callable[..., np.ndarray | None],
    keys: list[str],
    statistics: PoolStatistics,
    config: ComparablesConfig,
    coordinates: Coordinates,
) -> Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """The function that computes typical attributes.

    `typical_of` is a method of TypicalAttributes that takes the `keys`.
    """

    def medians(needed: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
        if needed.empty:
            return pd.DataFrame(columns=NAMES)
        sales = sales.sort_values("month", ignore_index=True)
        pool = {name: sales[name].to_numpy() for name in SALE}
        comparables = Comparables(pool, {}, config, coordinates, statistics, kept_months=1)
        results = [typical_of(comparables.typical, *key) for key in needed[keys].itertuples(index=False, name=None)]
        none = np.full(len(COMPARED), np.nan)
        values = np.array([none if typical is None else typical for typical in results])
        is_found = [typical is not None for typical in results]
        return needed[KEYS].assign(is_found=is_found, **dict(zip(FILLS, values.T, strict=True)))

    return medians
