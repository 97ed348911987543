"""What the curated tables measure alike: money, months, the market's level, and which listings are known and where."""

from __future__ import annotations

import datetime

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.features.columns import MARKET_LEVEL
from homei.features.session import numbers

CENTS = 100  # money is added in whole cents: exact, whatever the order


def cents(amount: Column) -> Column:
    """An amount of money in whole cents."""
    return F.rint(amount * CENTS).cast("long")


def money(whole_cents: Column) -> Column:
    """Whole or averaged cents as an amount of money, to the cent."""
    return F.round(whole_cents / CENTS, 2)


def month_number(date: Column) -> Column:
    """The number of a date's month, as `features.columns.month_of` counts."""
    return (F.year(date) * 12 + F.month(date) - 1).cast("long")


def month_start(number: Column) -> Column:
    """The first day of a numbered month."""
    return F.make_date(F.floor(number / 12).cast("int"), (number % 12 + 1).cast("int"), F.lit(1))


def closing_levels(sales: DataFrame, index: pd.DataFrame) -> DataFrame:
    """`month` and `level`: the city's log price per square metre as the month's own sales leave it.

    The market index tells of each month what was known before it, so a month's close stands in the next one's row.
    """
    closing = pd.DataFrame({"month": index["month"].astype("int64") - 1, "level": index[MARKET_LEVEL].astype("f8")})
    return F.broadcast(numbers(sales.sparkSession, closing))


def known_listings(listings: DataFrame, properties: DataFrame, as_of: datetime.date) -> DataFrame:
    """The listings as they stood on `as_of`: those listed by then, and as open what was closed only after it.

    Where a listing's property is known, its location and type are the property's: one spelling a place.
    """
    own = properties.select(
        "property_id", F.col("location").alias("own_location"), F.col("property_type").alias("own_type")
    )
    known = listings.where(F.col("listed_on") <= F.lit(as_of)).join(own, "property_id", "left")
    return known.withColumns(
        {
            "closed_on": F.when(F.col("closed_on") <= F.lit(as_of), F.col("closed_on")),
            "location": F.coalesce("own_location", "location"),
            "property_type": F.coalesce("own_type", "property_type"),
        }
    ).drop("own_location", "own_type")


def once(listings: DataFrame) -> DataFrame:
    """Each offer of a home once: without the listings that show one again elsewhere."""
    return listings.where(F.col("duplicate_of").isNull())
