"""Market history: statistics of the sales around a property in the months before its sale.

The sales are aggregated once, by place × property type × month; all trailing windows are rolled up from that. All sums
are of whole micro-units of log price and hence exact in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.config import projection
from homei.config.city import CityConfig
from homei.features.columns import LEVELS, MARKET_LEVEL, change_columns, statistic_columns
from homei.features.config import FeaturesConfig
from homei.features.price_index import MICRO, in_logs
from homei.features.price_units import unit_price
from homei.spark.session import numbers

Transform = Callable[[DataFrame], DataFrame]
PLACE = {level: f"{level}_place" for level in LEVELS}  # the column with a sale's place at each level


def with_keys(city: CityConfig, features: FeaturesConfig, whole_types: Sequence[str] = ()) -> Transform:
    """Adds month, the place at each level, and log_micro: the log `unit_price` in micro-units."""

    def add(sales: DataFrame) -> DataFrame:
        # A NaN coordinate becomes null, and with it every key that needs it.
        latitude, longitude = (F.nanvl(F.col(name), F.lit(None)) for name in ("latitude", "longitude"))
        x, y = projection.project(latitude, longitude, city.coordinates)
        return sales.withColumns(
            {
                "month": (F.year("sale_date") * 12 + F.month("sale_date") - 1).cast("long"),
                "log_micro": F.rint(F.ln(unit_price(whole_types)) * MICRO).cast("long"),
                PLACE["location"]: F.col("location"),
                PLACE["fine"]: _cell_key(x, y, features.cells.fine),
                PLACE["coarse"]: _cell_key(x, y, features.cells.coarse),
            }
        )

    return add


def with_market(index: pd.DataFrame) -> Transform:
    """Adds the price index as known before the sale's month, and u_micro: log_micro relative to it."""

    def add(sales: DataFrame) -> DataFrame:
        by_month = numbers(sales.sparkSession, index[["month", MARKET_LEVEL, *change_columns()]])
        u_micro = F.col("log_micro") - F.rint(F.col(MARKET_LEVEL) * MICRO).cast("long")
        return sales.join(F.broadcast(by_month), "month", "left").withColumn("u_micro", u_micro)

    return add


def market_history(sales: DataFrame, features: FeaturesConfig, last_month: int) -> DataFrame:
    """Mean, sample deviation and number of u in trailing windows, by place, type and month.

    A row for every month up to `last_month` whose widest window holds a sale. Means and deviations are in logs, to six
    decimals; the deviation is null below two sales. A window ends with the month before the row's month.
    """
    by = ["level", "place", "property_type"]
    widest = max(features.windows)
    by_month = _monthly_sums(sales).withColumn("lag", F.explode(F.sequence(F.lit(1), F.lit(widest))))
    lagged = by_month.withColumn("month", F.col("month") + F.col("lag")).where(F.col("month") <= last_month)
    sums = [
        F.sum(F.when(F.col("lag") <= window, F.col(name))).alias(f"{name}_{window}")
        for window in features.windows
        for name in ("n", "total", "squares")
    ]
    statistics = [column for window in features.windows for column in _statistics(window)]
    return lagged.groupBy(*by, "month").agg(*sums).select(*by, "month", *statistics)


def with_history(history: DataFrame, features: FeaturesConfig) -> Transform:
    """Adds a sale's market history at each level; counts are 0 without sales, null for unknown places."""

    def add(sales: DataFrame) -> DataFrame:
        return reduce(lambda joined, level: _join_level(joined, history, level, features), LEVELS, sales)

    return add


def _join_level(sales: DataFrame, history: DataFrame, level: str, features: FeaturesConfig) -> DataFrame:
    names = statistic_columns(features)
    of_level = history.where(F.col("level") == level).select(
        F.col("place").alias(PLACE[level]), "property_type", "month", *(F.col(n).alias(f"{level}_{n}") for n in names)
    )
    joined = sales.join(of_level, [PLACE[level], "property_type", "month"], "left")
    is_known = F.col(PLACE[level]).isNotNull() & F.col("property_type").isNotNull()
    counts = [f"{level}_{name}" for name in names if name.startswith("count")]
    return joined.withColumns({name: F.when(is_known, F.coalesce(F.col(name), F.lit(0.0))) for name in counts})


def _monthly_sums(sales: DataFrame) -> DataFrame:
    """n, total and squares of u_micro by level, place, property_type and month."""
    places = F.array(*(F.struct(F.lit(level).alias("level"), F.col(PLACE[level]).alias("place")) for level in LEVELS))
    complete = sales.where(F.col("u_micro").isNotNull() & F.col("property_type").isNotNull())
    exploded = complete.select(F.inline(places), "property_type", "month", "u_micro").where(F.col("place").isNotNull())
    u = F.col("u_micro")
    # All months of a place in one partition, so that the trailing windows need no other exchange of rows.
    return (
        exploded.repartition("level", "place", "property_type")
        .groupBy("level", "place", "property_type", "month")
        .agg(F.count(u).alias("n"), F.sum(u).alias("total"), F.sum(u * u).alias("squares"))
    )


def _statistics(window: int) -> list[Column]:
    n, total, squares = (F.col(f"{name}_{window}").cast("double") for name in ("n", "total", "squares"))
    # Rounding can leave a variance slightly below zero where all sales are alike.
    variance = F.greatest((squares - total * total / n) / (n - 1), F.lit(0.0))
    return [
        in_logs(total / n).alias(f"level_{window}"),
        F.when(n > 1, in_logs(F.sqrt(variance))).alias(f"spread_{window}"),
        F.coalesce(n, F.lit(0.0)).alias(f"count_{window}"),
    ]


def _cell_key(x: Column, y: Column, size_m: float) -> Column:
    column, row = projection.cell(x, y, size_m, F.floor)
    # As projection.CELL; Spark's `format_string` takes many times as long.
    return F.concat(column.cast("string"), F.lit(":"), row.cast("string"))
