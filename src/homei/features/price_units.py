"""The unit of prices: per m², or the whole price for property types whose area is mostly unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MIN_KNOWN_SHARE = 0.25  # of a type's sales with an area; with fewer, their price per m² does not represent the type


def whole_price_types(types: pd.Series, areas: pd.Series) -> list[str]:
    """The property types whose unit is the whole price, because too few of their sales have an area."""
    shares = areas.notna().groupby(types).mean()
    return shares.index[shares < MIN_KNOWN_SHARE].tolist()


def log_unit_price(sales: pd.DataFrame) -> np.ndarray:
    """The log price per unit of each sale; NaN where the unit is the m² and the area is unknown."""
    is_whole = sales["property_type"].isin(whole_price_types(sales["property_type"], sales["square_meters"]))
    return np.log(sales["price"] / sales["square_meters"].mask(is_whole, 1.0)).to_numpy()


def whole_price_types_in_spark(sales: DataFrame) -> list[str]:
    """`whole_price_types` of a Spark table."""
    from pyspark.sql import functions as F  # noqa: N812

    shares = sales.groupBy("property_type").agg((F.count("square_meters") / F.count("*")).alias("share"))
    return sorted(row["property_type"] for row in shares.where(F.col("share") < MIN_KNOWN_SHARE).dropna().collect())


def unit_price(whole_types: Sequence[str]) -> Column:
    """The price per unit of a sale in Spark; null for an unknown area, except in `whole_types`."""
    from pyspark.sql import functions as F  # noqa: N812

    area = F.col("square_meters")
    return F.col("price") / (
        F.when(F.col("property_type").isin(*whole_types), 1.0).otherwise(area) if whole_types else area
    )
