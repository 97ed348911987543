"""Evidence for property matching in Spark, of records and properties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.config.city import CityConfig
from homei.resolution import candidate_blocks
from homei.resolution.candidate_blocks import BLOCKS
from homei.resolution.config import MatchConfig
from homei.resolution.identical_units import (
    BUILDING,
    CHANCE_AGREEMENT,
    COMPARED_UNITS,
    N_CODES,
    order_in_building,
    registered_share,
)
from homei.resolution.intermediate import checkpointed
from homei.resolution.property_matching import ATTRIBUTES, evidence

EVIDENCE = {
    "id": "string", "square_meters": "double", "property_type": "string", "year_built": "double", "floor": "double",
    "bedrooms": "double", "bathrooms": "double", "location": "string", "street": "string", "house": "string",
    "unit": "string", "x": "double", "y": "double", "cell_x": "double", "cell_y": "double", "order": "bigint",
}  # fmt: skip


@dataclass(frozen=True)
class Properties:
    """Properties prepared for matching.

    They have their evidence, oversized blocks, and the agreement of units in one building.
    """

    evidence: DataFrame
    oversized: dict[str, DataFrame]  # by block, those that exist
    agreement: np.ndarray


def evidence_of(rows: DataFrame, city: CityConfig, settings: MatchConfig, carried: Mapping[str, str] = {}) -> DataFrame:
    """EVIDENCE of each row, with its `id`, and the `carried` columns, types by name."""
    coordinates, schema = city.coordinates, {**carried, **EVIDENCE}

    def parse(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            id_columns = batch[["id", *carried]]
            order = order_in_building(pd.DataFrame({"property_id": batch["id"].to_numpy()}))
            yield evidence(batch, coordinates, settings).assign(**id_columns, order=order)[[*schema]]

    used = rows.select("id", *carried, *ATTRIBUTES, "address", "latitude", "longitude")
    return used.mapInPandas(parse, ", ".join(f"`{name}` {kind}" for name, kind in schema.items()))


def prepared(properties: DataFrame, settings: MatchConfig) -> Properties:
    """The evidence of properties, prepared for matching; `properties` is EVIDENCE, with property_id as id."""
    has_building = F.col("street").isNotNull() & F.col("house").isNotNull()
    counts = properties.where(has_building).groupBy(*BUILDING).agg(F.count("*").cast("double").alias("n_units"))
    counted = properties.join(counts, BUILDING, "left").withColumn("n_units", F.coalesce("n_units", F.lit(1.0)))
    oversized = {}
    for block, columns in BLOCKS.items():
        sizes = properties.dropna(subset=columns).groupBy(*columns).agg(F.count("*").alias("properties"))
        large = sizes.where(F.col("properties") > candidate_blocks.MAX_BLOCK).collect()
        if large:
            oversized[block] = properties.sparkSession.createDataFrame(large, sizes.schema)
    return Properties(checkpointed(counted), oversized, _agreement(properties.where(has_building), settings.area))


def _agreement(properties: DataFrame, rounding: float) -> np.ndarray:
    """`UnitStatistics.agreement`, from the same pairs as on one machine."""
    window = Window.partitionBy(*BUILDING).orderBy("order", "id")
    unit = F.struct(*CHANCE_AGREEMENT)
    others = F.array(*(F.lead(unit, step).over(window) for step in range(1, COMPARED_UNITS + 1)))
    units = properties.select(unit.alias("a"), others.alias("others"))
    pairs = units.select("a", F.explode("others").alias("b")).where(F.col("b").isNotNull())
    both_known, equal = F.lit(0), F.lit(0)
    for position, name in enumerate(CHANCE_AGREEMENT):
        a, b = F.col(f"a.{name}"), F.col(f"b.{name}")
        is_equal = a == b
        if name == "square_meters":  # as identical_units.is_same_area
            is_equal = F.abs(a - b) <= F.greatest(F.lit(0.51), F.lit(rounding) * F.greatest(a, b))
        both_known = both_known + F.when(a.isNotNull() & b.isNotNull(), 1 << position).otherwise(0)
        equal = equal + F.when(is_equal, 1 << position).otherwise(0)
    agreement = np.zeros((N_CODES, N_CODES), dtype=np.int64)
    for row in pairs.groupBy(both_known.alias("known"), equal.alias("equal")).count().collect():
        agreement[row["known"], row["equal"]] = row["count"]
    return agreement


def registered_shares(records: DataFrame, properties: DataFrame) -> dict[str, float]:
    """The registered share that the records of each table show."""
    units = properties.select(*BUILDING, "unit").dropna().distinct()
    sample = records.select("table", *BUILDING, "unit").dropna().distinct()
    sample = sample.join(units.select(*BUILDING).distinct(), BUILDING, "left_semi")
    sample = sample.join(units.withColumn("is_registered", F.lit(1)), [*BUILDING, "unit"], "left")
    counts = sample.groupBy("table").agg(F.count("is_registered"), F.count("*")).collect()
    return {table: registered_share(n_registered, n_units) for table, n_registered, n_units in counts}
