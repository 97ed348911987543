"""market_analytics: each location's sales, offers, index and the indicators of the day, month by month."""

from __future__ import annotations

import datetime

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.measures import cents, closing_levels, money, month_number, month_start, once
from homei.features.columns import month_of

SUPPLY_MONTHS = 3  # whose mean sales tell how long the inventory lasts
RESIDUAL_MONTHS = 12  # whose sales tell how far a location lies from the city: a month alone has too few
INDICATOR = "indicator_"  # and the name of the series: the columns that a source's own indicators have
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
    """One row a month and location, with or without sales, of the last `history_months` up to the month of `as_of`.

    `listings` are those known at `as_of` (measures.known_listings), of which each home counts once. Indicators are
    those that were published by the end of the month: a column `indicator_<series>` each.
    """
    last = month_of(as_of)
    sold = sales.where(F.col("is_market") & (F.col("sale_date") <= F.lit(as_of)))
    levels = closing_levels(sales, index)
    sold = sold.withColumn("month", month_number(F.col("sale_date"))).join(levels, "month", "left")
    events = monthly(sold.withColumn("residual", residual()), once(listings)).cache()
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
    shown = sales.sparkSession.range(last - history_months + 1, last + 1)
    known = known_indicators(shown.select(month_start(F.col("id")).alias("month")), indicators)
    return rows.join(F.broadcast(known), "month", "left").select(*COLUMNS, *known.columns[1:])


def monthly(sold: DataFrame, listings: DataFrame) -> DataFrame:
    """By month and location with any: sales with their prices, listings that began, listings that ended.

    `residuals` holds each sale's, for the median over several months.
    """
    began = listings.select(month_number(F.col("listed_on")).alias("month"), "location", F.lit(1).alias("began"))
    ended = listings.where(F.col("closed_on").isNotNull()).select(
        month_number(F.col("closed_on")).alias("month"), "location", F.datediff("closed_on", "listed_on").alias("days")
    )
    events = sold.select("month", "location", "price", "square_meters", "residual")
    events = events.unionByName(began, allowMissingColumns=True).unionByName(ended, allowMissingColumns=True)
    paid, per_square_meter = cents(F.col("price")), cents(F.col("price") / F.col("square_meters"))
    sales = F.count("price")
    by_place = events.where(F.col("location").isNotNull()).groupBy("month", "location")
    return by_place.agg(
        sales.alias("market_sales"),
        money(F.try_divide(F.sum(paid), sales)).alias("average_price"),
        F.round(F.median("price"), 2).alias("median_price"),
        money(F.try_divide(F.sum(per_square_meter), sales)).alias("average_price_per_square_meter"),
        F.count("began").alias("new_listings"),
        F.count("days").alias("closed_listings"),
        F.median("days").alias("median_days_on_market"),
        F.collect_list("residual").alias("residuals"),
    )


def months_and_locations(events: DataFrame, last: int) -> DataFrame:
    """Every month from the first of all events to the last one, for every location that has any."""
    first = events.agg(F.min("month").alias("first"))
    months = first.select(F.explode(F.sequence("first", F.lit(last).cast("long"))).alias("month"))
    return events.select("location").distinct().crossJoin(F.broadcast(months))


def with_supply(rows: DataFrame) -> DataFrame:
    """Adds the inventory at the month's end, and how many months it lasts at the pace of the last SUPPLY_MONTHS.

    Where the history is younger than that, the pace is of the months that there are; without sales it is unknown.
    """
    by_month = Window.partitionBy("location").orderBy("month")
    so_far, lately = by_month.rowsBetween(Window.unboundedPreceding, 0), by_month.rowsBetween(1 - SUPPLY_MONTHS, 0)
    pace = F.avg("market_sales").over(lately)
    inventory = F.sum(F.col("new_listings") - F.col("closed_listings")).over(so_far)
    supply = F.when(F.col("pace") > 0, F.round(F.col("inventory") / F.col("pace"), 2))
    return rows.withColumns({"inventory": inventory, "pace": pace}).withColumn("months_of_supply", supply)


def residual() -> Column:
    """ln(price per m²) - level: how far a sale lies above the city's level in its own month."""
    return F.round(F.ln(F.col("price") / F.col("square_meters")) - F.col("level"), 6)


def with_residual(rows: DataFrame) -> DataFrame:
    """Adds `residual`, the median of the location's sales in the RESIDUAL_MONTHS that end with the month."""
    lately = Window.partitionBy("location").orderBy("month").rowsBetween(1 - RESIDUAL_MONTHS, 0)
    ordered = F.array_sort(F.flatten(F.collect_list("residuals").over(lately)))
    # The one in the middle, or the two; an empty list has null there.
    middle = [F.get("ordered", F.floor((F.size("ordered") - less) / 2).cast("int")) for less in (1, 0)]
    median = (middle[0] + middle[1]) / 2
    return rows.withColumn("ordered", ordered).withColumn("residual", median).drop("ordered", "residuals")


def with_index(rows: DataFrame) -> DataFrame:
    """Adds `price_index` = 100 x exp(level + residual - the same in the location's first month that has both).

    The city's level is adjusted for what was sold by location and type; within a location the mix of types is not.
    """
    log = F.col("level") + F.col("residual")
    whole = Window.partitionBy("location").orderBy("month").rowsBetween(Window.unboundedPreceding, 0)
    base = F.first(log, ignorenulls=True).over(whole)
    return rows.withColumn("price_index", F.round(100 * F.exp(log - base), 2))


def known_indicators(months: DataFrame, indicators: DataFrame) -> DataFrame:
    """By month: of each series the value of its latest month that was published by the end of it."""
    series = [row["series"] for row in indicators.select("series").distinct().orderBy("series").collect()]
    if not series:
        return months
    published = indicators.select("series", F.col("month").alias("observed"), "value", "known_from")
    by_then = F.col("known_from") <= F.date_format("month", "yyyy-MM")
    latest = F.max(F.struct("observed", "known_from", "value"))["value"]
    known = months.join(F.broadcast(published), by_then).groupBy("month").pivot("series", series).agg(latest)
    return known.select("month", *(F.col(f"`{name}`").alias(f"{INDICATOR}{name}") for name in series))
