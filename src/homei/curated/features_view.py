"""property_features: each sale with its location's average price as of the month before the sale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homei.config.city import DEFAULT_MAXIMUM
from homei.config.feeds import Source
from homei.curated.sql_views import run_view

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def property_features(sales: DataFrame, source: Source, average_months: int) -> DataFrame:
    """One row per sale within the contract's ranges, with the average price of its location.

    The average covers the market sales of the `average_months` months before the sale's month.
    """
    parameters = {"as_of": source.city.as_of, "average_months": average_months}
    for name, maximum in DEFAULT_MAXIMUM.items():
        low, high = source.contract.ranges.get(name, (0, maximum))
        parameters |= {f"lowest_{name}": float(low), f"highest_{name}": float(high)}
    return run_view("property_features", {"sales": sales}, parameters)
