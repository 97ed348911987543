"""Searches for comparables in tiles, in Spark.

Each tile's sales and halo are one group of `applyInPandas`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F  # noqa: N812

from homei.config import projection
from homei.features.comparable_tiles import CELL, SIDES, divide, margins
from homei.features.comparables import Comparables
from homei.features.pool_statistics import COMPARED, PoolStatistics

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

ATTRIBUTES = {"x": "longitude", "y": "latitude", "floor": "floor", "log_area": "square_meters",
              "year_built": "year_built"}  # the column that each of COMPARED is computed from  # fmt: skip
SEARCHED = ["transaction_id", "month", "property_type", "u", *ATTRIBUTES.values()]
FILLS = [f"typical_{name}" for name in COMPARED]
POSITIONS, PLANE_OF_ATTRIBUTES = 0, 1
# Results by column, and the distance within which all sales must be known for each result.
Find = Callable[[Comparables, dict[str, Any], "ComparablesConfig"], tuple[dict[str, np.ndarray], np.ndarray]]


class Pool(NamedTuple):
    """The pool of sales and what its searches depend on."""

    sales: DataFrame
    statistics: PoolStatistics
    compared: pd.DataFrame  # by month and property_type: a boolean for each of COMPARED
    config: ComparablesConfig
    coordinates: Coordinates
    max_sales: int


def search(rows: tuple[DataFrame, DataFrame], pool: Pool, find: Find, schema: str) -> tuple[DataFrame, int]:
    """The results of all queries, and the number of searches that had to be repeated."""
    queries, sales = rows
    first = _search_tiles(queries, sales, pool, find, schema, None).persist()
    undecided = first.where(~F.col("is_decided")).select("transaction_id")
    n_undecided = undecided.count()
    if not n_undecided:
        return first, 0
    rest = queries.join(undecided, "transaction_id", "left_semi")
    second = _search_tiles(rest, sales, pool, find, schema, pool.config.reach).persist()
    return first.where("is_decided").unionByName(second), n_undecided


def _search_tiles(
    queries: DataFrame, sales: DataFrame, pool: Pool, find: Find, schema: str, halo: float | None
) -> DataFrame:
    engine = queries.sparkSession
    counted = [
        side.groupBy(*CELL).agg(F.count(F.lit(1)).alias("n")).withColumn("is_query", F.lit(is_query))
        for side, is_query in ((queries, True), (sales, False))
    ]
    cells = counted[0].unionByName(counted[1]).groupBy(*CELL).agg(
        F.coalesce(F.sum(F.when(~F.col("is_query"), F.col("n"))), F.lit(0)).alias("sales"),
        F.coalesce(F.sum(F.when(F.col("is_query"), F.col("n"))), F.lit(0)).alias("queries"),
    )  # fmt: skip
    divided = divide(cells.toPandas().sort_values(CELL, ignore_index=True), pool.max_sales, pool.config.reach, halo)
    cell_schema = "plane int, property_type string, column bigint, row bigint, tile bigint"
    tile_of_cell, tiles_with_cell = (
        F.broadcast(engine.createDataFrame(cells.astype(object), cell_schema))
        for cells in (divided.tile_of_cell, divided.tiles_with_cell)
    )
    n_parts = max(1, min(len(divided.tiles), 4 * engine.sparkContext.defaultParallelism))
    names = ["a", "b", *SEARCHED]
    searching = queries.join(tile_of_cell, CELL).select("tile", "location", "is_incomplete", *FILLS, *names)
    # Aliases, because both sides are made from the same sales and Spark could not tell their columns apart.
    searched = sales.join(tiles_with_cell, CELL).select(*(F.col(name).alias(name) for name in ("tile", *SEARCHED)))
    sides = divided.tiles.set_index("tile")[SIDES].to_dict("index")
    searching, searched = (side.repartition(n_parts, "tile").groupBy("tile") for side in (searching, searched))
    search_tile = _tile_search(find, sides, pool.statistics, pool.config, pool.coordinates, schema_names(schema))
    return searching.cogroup(searched).applyInPandas(search_tile, schema)


def _tile_search(
    find: Find,
    sides: dict[int, dict[str, float]],
    statistics: PoolStatistics,
    config: ComparablesConfig,
    coordinates: Coordinates,
    names: list[str],
) -> Callable[[tuple, pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """The function that searches in one tile; Spark sends it to the workers."""

    def search_tile(key: tuple, queries: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
        if queries.empty:
            return pd.DataFrame(columns=names)
        sales = sales.sort_values(["month", "transaction_id"], ignore_index=True)
        incomplete = queries[queries["is_incomplete"]].drop_duplicates(["month", "property_type", "location"])
        keys = zip(incomplete["month"], incomplete["property_type"], incomplete["location"], strict=True)
        typical = dict(zip(keys, incomplete[FILLS].to_numpy("f8"), strict=True))
        comparables = Comparables(
            {name: sales[name].to_numpy() for name in SEARCHED},
            {}, config, coordinates, replace(statistics, typical=typical), kept_months=1,
        )  # fmt: skip
        columns = {name: queries[name].to_numpy() for name in [*SEARCHED, "location"]}
        values, needed = find(comparables, columns, config)
        left, right, bottom, top = (sides[key[0]][name] for name in SIDES)
        margin = margins(queries["a"].to_numpy(), queries["b"].to_numpy(), [left, right, bottom, top])
        # A millionth less: Spark and NumPy may round a logarithm differently.
        is_decided = (needed <= margin - 1e-6) | (margin >= config.reach - 1e-6)
        ids = {name: queries[name] for name in ("transaction_id", "month")}
        return pd.DataFrame(ids | {"is_decided": is_decided} | values)[names]

    return search_tile


def rows_by_position(queries: DataFrame, pool: Pool) -> tuple[DataFrame, DataFrame]:
    """The searching and the searched sales on the planes in which the nearest ones are searched."""
    has_positions = pool.compared["x"] & pool.compared["y"]
    sides = [_on_positions(rows, pool) for rows in (queries.where("has_positions"), pool.sales)]
    if others := pool.compared.loc[~has_positions, "property_type"].unique().tolist():
        by_attributes = (queries.where("NOT has_positions"), pool.sales.where(F.col("property_type").isin(others)))
        sides = [a.unionByName(_on_attributes(b, pool)) for a, b in zip(sides, by_attributes, strict=True)]
    return sides[0], sides[1]


def rows_by_attributes(queries: DataFrame, pool: Pool) -> tuple[DataFrame, DataFrame]:
    """The searching and the searched sales on the plane in which the most alike ones are searched."""
    return _on_attributes(queries, pool), _on_attributes(pool.sales, pool)


def _on_positions(rows: DataFrame, pool: Pool) -> DataFrame:
    x, y = projection.project(F.col("latitude"), F.col("longitude"), pool.coordinates)
    metres = pool.config.scales.metres
    return _on_plane(rows, POSITIONS, [(x, "typical_x", metres), (y, "typical_y", metres)])


def _on_attributes(rows: DataFrame, pool: Pool) -> DataFrame:
    """Rows on the plane of area and year.

    An attribute that is not compared for the type in all months is 0.
    """
    always = pool.compared.groupby("property_type")[list(COMPARED)].all()
    scales = pool.config.scales
    values = []
    area = F.when(F.col("square_meters") > 0, F.ln("square_meters"))
    for name, value, scale in (("log_area", area, scales.area), ("year_built", F.col("year_built"), scales.years)):
        # A type without sales in a month compares nothing then; that does not matter for its searches.
        compared = always.index[always[name]].tolist()
        is_compared = F.col("property_type").isin(compared) if compared else F.lit(False)
        filled = F.coalesce(value, f"typical_{name}") if f"typical_{name}" in rows.columns else value
        values.append((F.when(is_compared, filled).otherwise(0.0), None, scale))
    return _on_plane(rows, PLANE_OF_ATTRIBUTES, values)


def _on_plane(rows: DataFrame, plane: int, axes: list[tuple[Column, str | None, float]]) -> DataFrame:
    """Adds CELL and the coordinates a and b; without rows that have no place on the plane."""
    a, b = ((F.coalesce(value, F.col(fill)) if fill in rows.columns else value) / scale for value, fill, scale in axes)
    placed = rows.withColumns({"plane": F.lit(plane), "a": a, "b": b}).dropna(subset=["a", "b", "property_type"])
    return placed.withColumns({"column": F.floor("a").cast("bigint"), "row": F.floor("b").cast("bigint")})


def schema_names(schema: str) -> list[str]:
    """The names of columns in a schema as text."""
    return [part.split()[0] for part in schema.split(", ")]
