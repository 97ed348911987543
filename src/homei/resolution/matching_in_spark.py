"""Property matching in Spark: `property_matching` for tables that do not fit into memory.

The candidates come from joins on the columns of the same blocks, and the same functions score them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.resolution.candidate_blocks import (
    AROUND,
    BLOCKS,
    MAX_OTHER_SCORE,
    NUMBER_WEIGHTS,
    block_key,
    least_score,
)
from homei.resolution.config import MatchConfig
from homei.resolution.evidence_in_spark import EVIDENCE, Properties, registered_shares
from homei.resolution.identical_units import (
    UnitStatistics,
    registered_share,
)
from homei.resolution.intermediate import checkpointed, small_side
from homei.resolution.property_matching import MAX_OTHER_UNITS, score_pairs

SCORED = "`table` string, id string, property_id string, score double, other_units double"
CELL = ("b_cell_x", "b_cell_y")
RECORD, PROPERTY = (
    {f"{side}_{name}": name for name in (*columns, *EVIDENCE) if name not in ("cell_x", "cell_y", "order")}
    for side, columns in (("a", ("table", "is_known_street")), ("b", ("n_units",)))
)  # a candidate's columns
JOIN_CELLS = 4  # the largest distances in a side of the squares in which near pairs are looked up
MAX_SENT_PROPERTIES = 100_000  # whose evidence is sent to all executors
OVERSIZED = ["block", "key", "properties", "records"]


Batches = Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]


def match(records: DataFrame, properties: Properties, settings: MatchConfig) -> DataFrame:
    """`table`, `id` and `property_id` of the records with a certain property, as `property_matching`.

    `records` is EVIDENCE of several tables, with the name of its `table` in each row.
    """
    shares = registered_shares(records, properties.evidence)
    streets = checkpointed(
        properties.evidence.select("street", F.lit(True).alias("is_known_street")).dropna().distinct()
    )
    left = records.join(small_side(streets), "street", "left")
    left = left.withColumn("is_known_street", F.coalesce("is_known_street", F.lit(False)))
    scoring = _scoring(shares, properties.agreement, settings)
    scored = _candidates(left, properties, settings).mapInPandas(scoring, SCORED)
    by_record = Window.partitionBy("table", "id").orderBy(F.desc("score"), "property_id")
    ranked = scored.withColumn("rank", F.row_number().over(by_record)).where("rank <= 2")
    first, second = F.col("rank") == 1, F.col("rank") == 2
    best = ranked.groupBy("table", "id").agg(
        F.max(F.when(first, F.struct("property_id", "score", "other_units"))).alias("best"),
        F.max(F.when(second, F.col("score"))).alias("second"),
    )
    lead = F.col("best.score") - F.col("second")
    is_certain = (F.col("best.score") >= settings.score) & (lead.isNull() | (lead >= settings.margin))
    certain = best.where(is_certain & (F.col("best.other_units") <= MAX_OTHER_UNITS))
    return certain.select("table", "id", F.col("best.property_id").alias("property_id"))


def _scoring(shares: dict[str, float], agreement: np.ndarray, settings: MatchConfig) -> Batches:
    def score(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for table in batch["a_table"].unique():
                pairs = batch[batch["a_table"] == table].reset_index(drop=True)
                statistics = UnitStatistics(shares.get(table, registered_share(0, 0)), agreement)
                a, b = (pairs[[*names]].set_axis([*names.values()], axis=1) for names in (RECORD, PROPERTY))
                ids = {"table": table, "id": a["id"], "property_id": b["id"]}
                yield pd.DataFrame(ids | score_pairs(a, b, statistics, settings))

    return score


def _candidates(records: DataFrame, properties: Properties, settings: MatchConfig) -> DataFrame:
    """Each candidate once, as `candidate_blocks.candidate_pairs` gives them.

    Columns of records start with a_, those of properties with b_.
    """
    left = records.select(*(F.col(name[2:]).alias(name) for name in RECORD))
    right = properties.evidence.select(*(F.col(name[2:]).alias(name) for name in (*PROPERTY, *CELL)))
    right = small_side(right, MAX_SENT_PROPERTIES)
    compared = {block: _outside(right, properties, block) for block in BLOCKS}
    can_matter, has_large = _can_matter(settings), "address" in properties.oversized
    # So no pair occurs twice; to find equal pairs later means to send all of them across the cluster.
    is_new = F.lit(True) if has_large else ~F.coalesce(_agree(BLOCKS["address"]), F.lit(False))
    pairs = [
        left.join(compared["address"], _agree(BLOCKS["address"]) & can_matter),
        *(near.where(can_matter & is_new) for near in _near(left, compared["cell"], settings)),
        left.where(F.col("a_x").isNull()).join(compared["location"], _agree(BLOCKS["location"]) & can_matter & is_new),
    ]
    if has_large:
        large = right.join(F.broadcast(_renamed(properties, "address")), _prefixed("address"), "left_semi")
        pairs.append(left.join(large, _agree([*BLOCKS["address"], "unit"]) & can_matter))
    names = [*RECORD, *PROPERTY]
    union = functools.reduce(DataFrame.unionByName, (part.select(names) for part in pairs))
    return union.dropDuplicates(["a_table", "a_id", "b_id"]) if has_large else union


def _near(left: DataFrame, right: DataFrame, settings: MatchConfig) -> list[DataFrame]:
    """The pairs within the largest distance of each other.

    Pairs of different house numbers are left out if none of them matters.
    """
    side, reach = JOIN_CELLS * settings.distance_m, 1.001 * settings.distance_m
    for axis in "xy":
        position = F.col(f"a_{axis}")
        cells = F.sequence(*(F.floor((position + step) / side) for step in (-reach, reach)))
        left = left.withColumn(f"near_{axis}", F.explode(cells))
        right = right.withColumn(f"square_{axis}", F.floor(F.col(f"b_{axis}") / side))
    x, y = F.col("a_x") - F.col("b_x"), F.col("a_y") - F.col("b_y")
    is_near = x * x + y * y <= settings.distance_m * settings.distance_m
    in_square = (F.col("near_x") == F.col("square_x")) & (F.col("near_y") == F.col("square_y")) & is_near
    if MAX_OTHER_SCORE + NUMBER_WEIGHTS["house"][1] > least_score(settings):
        return [left.join(right, in_square)]
    # A house number divides a square's pairs by a hundred.
    without_a, without_b = (rows.where(F.col(f"{name}_house").isNull()) for name, rows in (("a", left), ("b", right)))
    return [
        left.join(right, in_square & _agree(["house"])),
        small_side(without_a, MAX_SENT_PROPERTIES).join(right, in_square),
        left.where(F.col("a_house").isNotNull()).join(small_side(without_b, MAX_SENT_PROPERTIES), in_square),
    ]


def _prefixed(block: str) -> list[str]:
    return [f"b_{name}" for name in BLOCKS[block]]


def _renamed(properties: Properties, block: str) -> DataFrame:
    return properties.oversized[block].select(*(F.col(name).alias(f"b_{name}") for name in BLOCKS[block]))


def _outside(right: DataFrame, properties: Properties, block: str) -> DataFrame:
    """The properties that are in no oversized block of a kind."""
    if block not in properties.oversized:
        return right
    return right.join(F.broadcast(_renamed(properties, block)), _prefixed(block), "left_anti")


def _agree(columns: list[str]) -> Column:
    is_equal = F.lit(True)
    for name in columns:
        is_equal = is_equal & (F.col(f"a_{name}") == F.col(f"b_{name}"))
    return is_equal


def _can_matter(settings: MatchConfig) -> Column:
    highest = F.lit(MAX_OTHER_SCORE)
    for name, (equal, different) in NUMBER_WEIGHTS.items():
        a, b = F.col(f"a_{name}"), F.col(f"b_{name}")
        highest = highest + F.when(a == b, equal).when(a != b, different).otherwise(0.0)
    return highest > least_score(settings)


def oversized_blocks(records: DataFrame, properties: Properties) -> pd.DataFrame:
    """The oversized blocks as `candidate_blocks.candidate_pairs` reports them."""
    parts = [pd.DataFrame(columns=OVERSIZED).astype({"properties": int, "records": int})]
    for block, large in properties.oversized.items():
        columns = BLOCKS[block]
        near = records.dropna(subset=columns)
        if block == "cell":
            around = F.array(*(F.struct(F.col("cell_x") + i, F.col("cell_y") + j) for i, j in AROUND))
            near = near.select(F.explode(around).alias("cell")).select("cell.*").toDF(*columns)
        else:
            near = near.where(F.col("unit" if block == "address" else "x").isNull()).select(*columns)
        counts = near.join(F.broadcast(large), columns).groupBy(*columns, "properties").count().toPandas()
        rows = counts.assign(block=block, key=block_key(counts[columns]) if len(counts) else "")
        parts.append(rows.rename(columns={"count": "records"})[OVERSIZED])
    return pd.concat(parts, ignore_index=True)
