"""Features of the same property's previous sale."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.features.price_index import in_logs


def previous_sales(sales: DataFrame) -> DataFrame:
    """property_id, month and u: log price per m² relative to the index, the mean of a month's sales."""
    complete = sales.where(F.col("property_id").isNotNull() & F.col("u_micro").isNotNull())
    mean = F.sum("u_micro") / F.count("u_micro")
    return complete.groupBy("property_id", "month").agg(in_logs(mean).alias("u"))


def with_previous(previous: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Adds previous_level (u of the property's latest earlier sale) and previous_months (its age)."""

    def add(sales: DataFrame) -> DataFrame:
        by = ["property_id", "month"]
        # A sale's own month may lack a u and hence a row in `previous`.
        months = sales.select(*by).where(F.col("property_id").isNotNull()).distinct()
        earlier = Window.partitionBy("property_id").orderBy("month").rowsBetween(Window.unboundedPreceding, -1)
        sale_month = F.when(F.col("u").isNotNull(), F.col("month"))
        latest = months.join(previous, by, "left").select(
            *by,
            F.last("u", ignorenulls=True).over(earlier).alias("previous_level"),
            (F.col("month") - F.last(sale_month, ignorenulls=True).over(earlier))
            .cast("double")
            .alias("previous_months"),
        )
        return sales.join(latest, by, "left")

    return add
