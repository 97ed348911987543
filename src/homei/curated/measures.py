"""Shared measures of the curated tables: money, months, market level, and listings as of a day."""

from __future__ import annotations

import datetime

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.features.columns import MARKET_LEVEL
from homei.spark.session import numbers

CENTS = 100  # money is summed in whole cents, so that the order of summation does not matter


def cents(amount: Column) -> Column:
    """An amount of money in whole cents."""
    return F.rint(amount * CENTS).cast("long")


def money(whole_cents: Column) -> Column:
    """Whole or averaged cents as an amount of money, to the cent."""
    return F.round(whole_cents / CENTS, 2)


def month_number(date: Column) -> Column:
    """The number of a date's month, as `features.columns.month_of` counts months."""
    return (F.year(date) * 12 + F.month(date) - 1).cast("long")


def month_start(number: Column) -> Column:
    """The first day of a numbered month."""
    return F.make_date(F.floor(number / 12).cast("int"), (number % 12 + 1).cast("int"), F.lit(1))


def closing_levels(sales: DataFrame, index: pd.DataFrame) -> DataFrame:
    """`month` and `level`: the city's log price per square metre at the end of each month.

    MARKET_INDEX has the level before each month: a month's closing level is in the next month's row.
    """
    closing = pd.DataFrame({"month": index["month"].astype("int64") - 1, "level": index[MARKET_LEVEL].astype("f8")})
    return F.broadcast(numbers(sales.sparkSession, closing))


def listings_as_of(listings: DataFrame, properties: DataFrame, as_of: datetime.date) -> DataFrame:
    """The listings up to `as_of`; those that closed later are open.

    A listing of a resolved property has the property's location and type, so that each location has one spelling.
    """
    resolved = properties.select(
        "property_id", F.col("location").alias("resolved_location"), F.col("property_type").alias("resolved_type")
    )
    joined = listings.where(F.col("listed_on") <= F.lit(as_of)).join(resolved, "property_id", "left")
    return joined.withColumns(
        {
            "closed_on": F.when(F.col("closed_on") <= F.lit(as_of), F.col("closed_on")),
            "location": F.coalesce("resolved_location", "location"),
            "property_type": F.coalesce("resolved_type", "property_type"),
        }
    ).drop("resolved_location", "resolved_type")


def without_duplicates(listings: DataFrame) -> DataFrame:
    """The listings without repetitions of the same offer elsewhere."""
    return listings.where(F.col("duplicate_of").isNull())
