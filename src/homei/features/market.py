"""Market history: what a place's sales told about its market in the months before a sale.

The sales are aggregated once, by place × property type × month; every trailing window is rolled up from that.
All sums are of whole micro-units of log, hence exact in whatever order Spark adds them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.config import Features
from homei.features import keys
from homei.features.columns import LEVELS, MARKET_LEVEL, change_columns, statistic_columns
from homei.features.index import MICRO
from homei.features.session import numbers
from homei.source import Source

Transform = Callable[[DataFrame], DataFrame]
PLACE = {level: f"{level}_place" for level in LEVELS}  # the columns that hold a sale's place at each level


def with_keys(source: Source, features: Features) -> Transform:
    """Adds month, the key of the place at each level, and log_micro: the log of price per m² in whole micro-units."""

    def add(sales: DataFrame) -> DataFrame:
        # NaN is no coordinate: as a null it makes every key that needs it null.
        latitude, longitude = (F.nanvl(F.col(name), F.lit(None)) for name in ("latitude", "longitude"))
        x, y = keys.project(latitude, longitude, source.coordinates)
        per_square_meter = F.col("price") / F.col("square_meters")
        return sales.withColumns(
            {
                "month": (F.year("sale_date") * 12 + F.month("sale_date") - 1).cast("long"),
                "log_micro": F.rint(F.ln(per_square_meter) * MICRO).cast("long"),
                PLACE["location"]: F.col("location"),
                PLACE["fine"]: _cell_key(x, y, features.cells.fine),
                PLACE["coarse"]: _cell_key(x, y, features.cells.coarse),
            }
        )

    return add


def with_market(index: pd.DataFrame) -> Transform:
    """Adds the city's price index as known before the sale's month, and u_micro: the sale's log against it."""

    def add(sales: DataFrame) -> DataFrame:
        by_month = numbers(sales.sparkSession, index[["month", MARKET_LEVEL, *change_columns()]])
        u_micro = F.col("log_micro") - F.rint(F.col(MARKET_LEVEL) * MICRO).cast("long")
        return sales.join(F.broadcast(by_month), "month", "left").withColumn("u_micro", u_micro)

    return add


def market_history(sales: DataFrame, features: Features, last_month: int) -> DataFrame:
    """For each level, place, property_type and month: mean, sample deviation and number of u in trailing windows.

    A row for every month up to `last_month` whose widest window holds a sale. In logs, to six decimals; a spread is
    null below two sales. A window ends with the month before: a month's own sales are not in its row.
    """
    by = ["level", "place", "property_type"]
    widest = max(features.windows)
    by_month = _cells(sales).withColumn("lag", F.explode(F.sequence(F.lit(1), F.lit(widest))))
    seen_from = by_month.withColumn("month", F.col("month") + F.col("lag")).where(F.col("month") <= last_month)
    sums = [
        F.sum(F.when(F.col("lag") <= window, F.col(name))).alias(f"{name}_{window}")
        for window in features.windows
        for name in ("n", "total", "squares")
    ]
    statistics = [column for window in features.windows for column in _statistics(window)]
    return seen_from.groupBy(*by, "month").agg(*sums).select(*by, "month", *statistics)


def with_history(history: DataFrame, features: Features) -> Transform:
    """Adds a sale's market history at each level; no sale in a window counts as 0, an unknown place as null."""

    def add(sales: DataFrame) -> DataFrame:
        return reduce(lambda joined, level: _join_level(joined, history, level, features), LEVELS, sales)

    return add


def _join_level(sales: DataFrame, history: DataFrame, level: str, features: Features) -> DataFrame:
    names = statistic_columns(features)
    of_level = history.where(F.col("level") == level).select(
        F.col("place").alias(PLACE[level]), "property_type", "month", *(F.col(n).alias(f"{level}_{n}") for n in names)
    )
    joined = sales.join(of_level, [PLACE[level], "property_type", "month"], "left")
    known = F.col(PLACE[level]).isNotNull() & F.col("property_type").isNotNull()
    counts = [f"{level}_{name}" for name in names if name.startswith("count")]
    return joined.withColumns({name: F.when(known, F.coalesce(F.col(name), F.lit(0.0))) for name in counts})


def _cells(sales: DataFrame) -> DataFrame:
    """n, total and squares of u_micro by level, place, property_type and month, from one pass over the sales."""
    places = F.array(*(F.struct(F.lit(level).alias("level"), F.col(PLACE[level]).alias("place")) for level in LEVELS))
    known = sales.where(F.col("u_micro").isNotNull() & F.col("property_type").isNotNull())
    exploded = known.select(F.inline(places), "property_type", "month", "u_micro").where(F.col("place").isNotNull())
    u = F.col("u_micro")
    return exploded.groupBy("level", "place", "property_type", "month").agg(
        F.count(u).alias("n"), F.sum(u).alias("total"), F.sum(u * u).alias("squares")
    )


def _statistics(window: int) -> list[Column]:
    n, total, squares = (F.col(f"{name}_{window}").cast("double") for name in ("n", "total", "squares"))
    # The sums are exact; what rounding leaves below zero where all sales are alike is no variance.
    variance = F.greatest((squares - total * total / n) / (n - 1), F.lit(0.0))
    return [
        F.round(total / n / MICRO, 6).alias(f"level_{window}"),
        F.when(n > 1, F.round(F.sqrt(variance) / MICRO, 6)).alias(f"spread_{window}"),
        F.coalesce(n, F.lit(0.0)).alias(f"count_{window}"),
    ]


def _cell_key(x: Column, y: Column, size: float) -> Column:
    column, row = keys.cell(x, y, size, F.floor)
    return F.when(column.isNotNull() & row.isNotNull(), F.format_string(keys.CELL, column, row))
