"""property_analytics: sales of each property, their value at `as_of`, and its listings."""

from __future__ import annotations

import datetime

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.measures import closing_levels, month_number, without_duplicates
from homei.features.columns import month_of

IDENTITY = ["location", "property_type", "square_meters", "bedrooms", "bathrooms", "floor"]
COLUMNS = [
    "market_sales", "other_sales", "first_sale_date", "first_sale_price", "last_sale_date", "last_sale_price",
    "last_price_per_square_meter", "last_price_today", "yearly_change", "listings_seen", "last_days_on_market",
    "last_asking_price", "is_listed", "asked_before_sale", "discount_to_asking",
]  # fmt: skip
DAYS_PER_YEAR = 365.25
MIN_DAYS = 365  # between two sales for a yearly rate: a shorter time would be extrapolated
DEED_DAYS = 180  # a deed follows its listing's end by weeks or months; earlier listings led to no sale


def property_analytics(
    properties: DataFrame, sales: DataFrame, listings: DataFrame, index: pd.DataFrame, as_of: datetime.date
) -> DataFrame:
    """One row per property: its attributes, market sales, last price adjusted to `as_of`, and listings.

    `listings` are those of measures.listings_as_of. Prices are those of market sales. The last price is adjusted by
    the city's index: last price x exp(level at `as_of` - level in the sale's month).
    """
    sales = sales.where(F.col("sale_date") <= F.lit(as_of))
    identity = properties.select("property_id", *IDENTITY, F.col("year_built").cast("int").alias("year_built"))
    joined = (
        identity.join(prices(sales), "property_id", "left")
        .join(listing_figures(without_duplicates(listings)), "property_id", "left")
        .transform(lambda rows: _with_price_today(rows, index, as_of))
        .withColumn("asked_before_sale", asked_before_sale())
    )
    counts = {name: F.coalesce(F.col(name), F.lit(0)) for name in ("market_sales", "other_sales", "listings_seen")}
    return joined.withColumns(
        counts
        | {
            "discount_to_asking": F.round(1 - F.try_divide("last_sale_price", "asked_before_sale"), 6),
            "is_listed": F.coalesce("is_listed", F.lit(False)),
        }
    ).select(*identity.columns, *COLUMNS)


def prices(sales: DataFrame) -> DataFrame:
    """By property: number of market and of other sales, first and last market sale, and yearly change.

    Of two sales on a day, the one with the greater id is the later.
    """
    is_market = F.col("is_market")
    sale = F.struct("sale_date", "transaction_id", "price", "square_meters")
    ends = (
        sales.where(F.col("property_id").isNotNull())
        .groupBy("property_id")
        .agg(
            F.count_if(is_market).alias("market_sales"),
            F.count_if(~is_market).alias("other_sales"),
            F.min(F.when(is_market, sale)).alias("first"),
            F.max(F.when(is_market, sale)).alias("last"),
        )
    )
    days = F.datediff("last.sale_date", "first.sale_date")
    rate = F.pow(F.col("last.price") / F.col("first.price"), F.lit(DAYS_PER_YEAR) / days) - 1
    return ends.select(
        "property_id",
        "market_sales",
        "other_sales",
        F.col("first.sale_date").alias("first_sale_date"),
        F.col("first.price").alias("first_sale_price"),
        F.col("last.sale_date").alias("last_sale_date"),
        F.col("last.price").alias("last_sale_price"),
        F.round(F.col("last.price") / F.col("last.square_meters"), 2).alias("last_price_per_square_meter"),
        F.when(days >= MIN_DAYS, F.round(rate, 6)).alias("yearly_change"),
    )


def listing_figures(listings: DataFrame) -> DataFrame:
    """Listings of each property: number, last asking price, days on market, `is_listed`.

    Days on market are those of the last closed listing. `listings` has the listings for `asked_before_sale`.
    """
    listing = F.struct("listed_on", "listing_id", "price", "closed_on")
    closed = F.struct("closed_on", "listing_id", F.datediff("closed_on", "listed_on").alias("days"))
    by_property = listings.where(F.col("property_id").isNotNull()).groupBy("property_id")
    return by_property.agg(
        F.count("*").alias("listings_seen"),
        F.max(listing)["price"].alias("last_asking_price"),
        F.max(F.when(F.col("closed_on").isNotNull(), closed))["days"].alias("last_days_on_market"),
        F.max(F.col("closed_on").isNull()).alias("is_listed"),
        F.collect_list(listing).alias("listings"),
    )


def asked_before_sale() -> Column:
    """The asking price of the listing that led to the last market sale.

    That is the latest listing up to the day of the sale that was open then or had closed at most DEED_DAYS before.
    """
    sold_on = F.col("last_sale_date")

    def led_to_sale(listing: Column) -> Column:
        was_open = listing["closed_on"].isNull() | (F.date_add(listing["closed_on"], DEED_DAYS) >= sold_on)
        return (listing["listed_on"] <= sold_on) & was_open

    return F.array_max(F.filter("listings", led_to_sale))["price"]


def _with_price_today(rows: DataFrame, index: pd.DataFrame, as_of: datetime.date) -> DataFrame:
    levels = closing_levels(rows, index)
    today = levels.where(F.col("month") == month_of(as_of)).select(F.col("level").alias("level_today"))
    price_today = F.round(F.col("last_sale_price") * F.exp(F.col("level_today") - F.col("level")), 2)
    at_sale = rows.withColumn("month", month_number(F.col("last_sale_date"))).join(levels, "month", "left")
    return at_sale.join(F.broadcast(today), how="left").withColumn("last_price_today", price_today)
