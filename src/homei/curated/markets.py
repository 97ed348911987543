"""market_analytics: sales, listings, price index and indicators of each location by month."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.measures import cents, closing_levels, money, month_number, month_start, without_duplicates
from homei.features.columns import month_of
from homei.features.price_units import unit_price, whole_price_types_in_spark

SUPPLY_MONTHS = 3  # months whose average sales are the pace for months_of_supply
RESIDUAL_MONTHS = 12  # months whose sales give a location's residual: one month has too few
INDICATOR_PREFIX = "indicator_"  # of the columns with a source's indicator series
COUNTS = ["market_sales", "new_listings", "closed_listings"]
COLUMNS = [
    "month", "location", "market_sales", "average_price", "median_price", "average_price_per_square_meter",
    "price_index", "inventory", "new_listings", "closed_listings", "months_of_supply", "median_days_on_market",
]  # fmt: skip


def market_analytics(
    sales: DataFrame,
    listings: DataFrame,
    indicators: DataFrame,
    index: pd.DataFrame,
    as_of: datetime.date,
    history_months: int,
) -> DataFrame:
    """One row per month and location, with or without sales, up to the month of `as_of`.

    It covers `history_months`. `listings` are those of measures.listings_as_of. Each indicator series that was
    published by the end of the month is a column `indicator_<series>`.
    """
    last = month_of(as_of)
    market_sales = sales.where(F.col("is_market") & (F.col("sale_date") <= F.lit(as_of)))
    levels = closing_levels(sales, index)
    whole_types = whole_price_types_in_spark(sales.where("is_market"))
    market_sales = market_sales.withColumn("month", month_number(F.col("sale_date"))).join(levels, "month", "left")
    market_sales = market_sales.withColumn("residual", residual(whole_types))
    events = monthly(market_sales, without_duplicates(listings)).cache()
    grid = months_and_locations(events, last)
    rows = (
        grid.join(events, ["month", "location"], "left")
        .fillna(0, COUNTS)
        .transform(with_supply)
        .transform(with_residual)
        .join(levels, "month", "left")
        .where(F.col("month") > last - history_months)
        .transform(with_index)
        .withColumn("month", month_start(F.col("month")))
    )
    numbers = sales.sparkSession.range(last - history_months + 1, last + 1)
    by_month = published_indicators(numbers.select(month_start(F.col("id")).alias("month")), indicators)
    return rows.join(F.broadcast(by_month), "month", "left").select(*COLUMNS, *by_month.columns[1:])


def monthly(sales: DataFrame, listings: DataFrame) -> DataFrame:
    """By month and location: sales with their prices, new listings, closed listings.

    `residuals` has the residual of each sale, for a median over several months.
    """
    opened = listings.select(month_number(F.col("listed_on")).alias("month"), "location", F.lit(1).alias("opened"))
    closed = listings.where(F.col("closed_on").isNotNull()).select(
        month_number(F.col("closed_on")).alias("month"), "location", F.datediff("closed_on", "listed_on").alias("days")
    )
    events = sales.select("month", "location", "price", "square_meters", "residual")
    events = events.unionByName(opened, allowMissingColumns=True).unionByName(closed, allowMissingColumns=True)
    price, per_square_meter = cents(F.col("price")), cents(F.col("price") / F.col("square_meters"))
    n_sales = F.count("price")
    grouped = events.where(F.col("location").isNotNull()).groupBy("month", "location")
    return grouped.agg(
        n_sales.alias("market_sales"),
        money(F.try_divide(F.sum(price), n_sales)).alias("average_price"),
        F.round(F.median("price"), 2).alias("median_price"),
        money(F.try_divide(F.sum(per_square_meter), F.count(per_square_meter))).alias("average_price_per_square_meter"),
        F.count("opened").alias("new_listings"),
        F.count("days").alias("closed_listings"),
        F.median("days").alias("median_days_on_market"),
        F.collect_list("residual").alias("residuals"),
    )


def months_and_locations(events: DataFrame, last: int) -> DataFrame:
    """Every month from the first event to `last` for every location that has events."""
    first = events.agg(F.min("month").alias("first"))
    months = first.select(F.explode(F.sequence("first", F.lit(last).cast("long"))).alias("month"))
    return events.select("location").distinct().crossJoin(F.broadcast(months))


def with_supply(rows: DataFrame) -> DataFrame:
    """Adds `inventory` at the month's end, and `months_of_supply` at the pace of the last SUPPLY_MONTHS.

    A shorter history gives the pace of its own months; without sales the supply is unknown.
    """
    by_month = Window.partitionBy("location").orderBy("month")
    all_before, recent = by_month.rowsBetween(Window.unboundedPreceding, 0), by_month.rowsBetween(1 - SUPPLY_MONTHS, 0)
    pace = F.avg("market_sales").over(recent)
    inventory = F.sum(F.col("new_listings") - F.col("closed_listings")).over(all_before)
    supply = F.when(F.col("pace") > 0, F.round(F.col("inventory") / F.col("pace"), 2))
    return rows.withColumns({"inventory": inventory, "pace": pace}).withColumn("months_of_supply", supply)


def residual(whole_types: Sequence[str] = ()) -> Column:
    """The log of a sale's `unit_price` minus the city's level in its month."""
    return F.round(F.ln(unit_price(whole_types)) - F.col("level"), 6)


def with_residual(rows: DataFrame) -> DataFrame:
    """Adds `residual`: the median of the location's residuals in the RESIDUAL_MONTHS up to the month."""
    recent = Window.partitionBy("location").orderBy("month").rowsBetween(1 - RESIDUAL_MONTHS, 0)
    ordered = F.array_sort(F.flatten(F.collect_list("residuals").over(recent)))
    # The middle value, or the two of an even number; an empty list has null there.
    middle = [F.get("ordered", F.floor((F.size("ordered") - less) / 2).cast("int")) for less in (1, 0)]
    median = (middle[0] + middle[1]) / 2
    return rows.withColumn("ordered", ordered).withColumn("residual", median).drop("ordered", "residuals")


def with_index(rows: DataFrame) -> DataFrame:
    """Adds `price_index`: the location's price level in percent of its first month with a residual.

    The level is exp(level + residual). The city's part of it is adjusted for the mix of locations and types; within a
    location, the mix of types is not.
    """
    log = F.col("level") + F.col("residual")
    whole = Window.partitionBy("location").orderBy("month").rowsBetween(Window.unboundedPreceding, 0)
    base = F.first(log, ignorenulls=True).over(whole)
    return rows.withColumn("price_index", F.round(100 * F.exp(log - base), 2))


def published_indicators(months: DataFrame, indicators: DataFrame) -> DataFrame:
    """By month: the latest value of each series that was published by the end of the month."""
    series = [row["series"] for row in indicators.select("series").distinct().orderBy("series").collect()]
    if not series:
        return months
    published = indicators.select("series", F.col("month").alias("observed"), "value", "known_from")
    is_published = F.col("known_from") <= F.date_format("month", "yyyy-MM")
    latest = F.max(F.struct("observed", "known_from", "value"))["value"]
    values = months.join(F.broadcast(published), is_published).groupBy("month").pivot("series", series).agg(latest)
    return values.select("month", *(F.col(f"`{name}`").alias(f"{INDICATOR_PREFIX}{name}") for name in series))
