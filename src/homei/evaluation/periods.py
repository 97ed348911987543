"""The sales before the hold-out and those of the hold-out, to be compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.features.columns import MARKET_LEVEL
from homei.features.price_units import log_unit_price
from homei.training.config import SplitConfig
from homei.training.time_splits import split_holdout

ATTRIBUTES = ["square_meters", "bedrooms", "bathrooms", "floor", "latitude", "longitude", "year_built"]
LOG_COLUMNS = ("price_level", "valuation_error")  # both are relative to an index of earlier months


@dataclass(frozen=True)
class ComparedSales:
    """Sales before and of the hold-out, and the columns to compare.

    Columns that change by construction are left out: months, ages, market level, trailing history and counts.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    numeric: list[str]
    categorical: list[str]


def compared_sales(
    sales: pd.DataFrame, predictions: pd.DataFrame, city: CityConfig, split: SplitConfig
) -> ComparedSales:
    """The sales to compare, with price_level and (out of time only) valuation_error, both in logs.

    price_level is the log price per m² (see `price_units`) relative to the city's index of earlier months,
    valuation_error the log of predicted ÷ paid price.
    """
    sales = sales.merge(predictions[["transaction_id", "predicted"]], on="transaction_id", how="left", validate="1:1")
    sales = sales.assign(
        price_level=np.round(log_unit_price(sales) - sales[MARKET_LEVEL], 9),
        valuation_error=lambda sale: np.round(np.log(sale["predicted"] / sale["price"]), 9),
    )
    reference, current = split_holdout(sales, split)

    def with_values(names: list[str]) -> list[str]:
        return [name for name in names if reference[name].notna().any() and current[name].notna().any()]

    numeric = with_values([*ATTRIBUTES, *city.attributes.numeric, *LOG_COLUMNS])
    categorical = with_values(["property_type", "location", *city.attributes.categorical])
    return ComparedSales(reference, current, numeric, categorical)
