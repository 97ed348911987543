"""property_features: the original architecture's view, as of the month before each sale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homei.curated.sql_views import run_view
from homei.source import USUAL_LIMITS, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def property_features(sales: DataFrame, source: Source, average_months: int) -> DataFrame:
    """One row a sale that the contract allows, with its location's average price in the months before the sale's.

    The average is of the market sales of `average_months` months that end with the one before.
    """
    parameters = {"as_of": source.as_of, "average_months": average_months}
    for name, usual in USUAL_LIMITS.items():
        low, high = source.contract.ranges.get(name, (0, usual))
        parameters |= {f"lowest_{name}": float(low), f"highest_{name}": float(high)}
    return run_view("property_features", {"sales": sales}, parameters)
