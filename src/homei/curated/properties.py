"""property_analytics: what each property was sold for, what that is today, and how it was offered."""

from __future__ import annotations

import datetime

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.measures import closing_levels, month_number, once
from homei.features.columns import month_of

IDENTITY = ["location", "property_type", "square_meters", "bedrooms", "bathrooms", "floor"]
DAYS_OF_A_YEAR = 365.25
LEAST_DAYS = 365  # between two sales for a yearly rate: of less, it would tell what was never seen
DEED_DAYS = 180  # a deed follows its listing's end by weeks or months; a listing that ended earlier led elsewhere


def property_analytics(
    properties: DataFrame, sales: DataFrame, listings: DataFrame, index: pd.DataFrame, as_of: datetime.date
) -> DataFrame:
    """One row a property: its identity, market sales, value carried to `as_of`, and listings.

    `listings` are those known at `as_of` (measures.known_listings). Prices are of market sales alone; the index that
    carries the last one is the city's: last price x exp(level at `as_of` - level at the sale's month).
    """
    known = sales.where(F.col("sale_date") <= F.lit(as_of))
    identity = properties.select("property_id", *IDENTITY, F.col("year_built").cast("int").alias("year_built"))
    joined = (
        identity.join(prices(known), "property_id", "left")
        .join(offers(once(listings)), "property_id", "left")
        .transform(lambda rows: _carried(rows, index, as_of))
        .withColumn("asked_before_sale", asked_before_sale())
    )
    counts = {name: F.coalesce(F.col(name), F.lit(0)) for name in ("market_sales", "other_sales", "listings_seen")}
    return joined.withColumns(
        counts
        | {
            "discount_to_asking": F.round(1 - F.try_divide("last_sale_price", "asked_before_sale"), 6),
            "is_listed": F.coalesce("is_listed", F.lit(False)),
        }
    ).select(*identity.columns, *_published())


def prices(sales: DataFrame) -> DataFrame:
    """By property: the number of market and of other sales, the first and last market sale, the yearly change.

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
    rate = F.pow(F.col("last.price") / F.col("first.price"), F.lit(DAYS_OF_A_YEAR) / days) - 1
    return ends.select(
        "property_id",
        "market_sales",
        "other_sales",
        F.col("first.sale_date").alias("first_sale_date"),
        F.col("first.price").alias("first_sale_price"),
        F.col("last.sale_date").alias("last_sale_date"),
        F.col("last.price").alias("last_sale_price"),
        F.round(F.col("last.price") / F.col("last.square_meters"), 2).alias("last_price_per_square_meter"),
        F.when(days >= LEAST_DAYS, F.round(rate, 6)).alias("yearly_change"),
    )


def offers(listings: DataFrame) -> DataFrame:
    """By property: the number of listings, the last asking price, days on market of the last closed, whether listed.

    The listings themselves are in `offers`, for `asked_before_sale`.
    """
    offer = F.struct("listed_on", "listing_id", "price", "closed_on")
    closed = F.struct("closed_on", "listing_id", F.datediff("closed_on", "listed_on").alias("days"))
    by_property = listings.where(F.col("property_id").isNotNull()).groupBy("property_id")
    return by_property.agg(
        F.count("*").alias("listings_seen"),
        F.max(offer)["price"].alias("last_asking_price"),
        F.max(F.when(F.col("closed_on").isNotNull(), closed))["days"].alias("last_days_on_market"),
        F.max(F.col("closed_on").isNull()).alias("is_listed"),
        F.collect_list(offer).alias("offers"),
    )


def asked_before_sale() -> Column:
    """The asking price of the listing that led to the last market sale.

    That is the latest one listed by the day of the sale that was open then, or had closed at most DEED_DAYS before.
    """
    sold_on = F.col("last_sale_date")

    def led(offer: Column) -> Column:
        ended_lately = offer["closed_on"].isNull() | (F.date_add(offer["closed_on"], DEED_DAYS) >= sold_on)
        return (offer["listed_on"] <= sold_on) & ended_lately

    return F.array_max(F.filter("offers", led))["price"]


def _carried(rows: DataFrame, index: pd.DataFrame, as_of: datetime.date) -> DataFrame:
    levels = closing_levels(rows, index)
    today = levels.where(F.col("month") == month_of(as_of)).select(F.col("level").alias("level_today"))
    at_sale = rows.withColumn("month", month_number(F.col("last_sale_date"))).join(levels, "month", "left")
    return at_sale.join(F.broadcast(today), how="left").withColumn("last_price_today", _today())


def _today() -> Column:
    return F.round(F.col("last_sale_price") * F.exp(F.col("level_today") - F.col("level")), 2)


def _published() -> list[str]:
    of_sales = ["market_sales", "other_sales", "first_sale_date", "first_sale_price", "last_sale_date"]
    of_prices = ["last_sale_price", "last_price_per_square_meter", "last_price_today", "yearly_change"]
    of_offers = ["listings_seen", "last_days_on_market", "last_asking_price", "is_listed"]
    return [*of_sales, *of_prices, *of_offers, "asked_before_sale", "discount_to_asking"]
