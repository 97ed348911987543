"""property_features: each sale with its location's average price as of the month before the sale."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from homei.curated.sql_views import run_view

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def property_features(sales: DataFrame, as_of: datetime.date, average_months: int) -> DataFrame:
    """One row per valid sale, with the average price of its location.

    The average covers the market sales of the `average_months` months before the sale's month.
    """
    parameters = {"as_of": as_of, "average_months": average_months}
    return run_view("property_features", {"sales": sales}, parameters)
