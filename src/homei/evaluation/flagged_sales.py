"""Valuations of hold-out sales that were excluded only by their price (`ratio_outlier`).

Sale validation looks at the price, so it removes from the hold-out the sales that are hardest to value. The ratio study
is therefore reported with and without them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from homei.config.city import CityConfig
from homei.features.columns import month_of
from homei.features.config import FeaturesConfig
from homei.features.feature_lookup import FeatureLookup, export_lookup
from homei.storage import lake
from homei.training.encoding import columns_of
from homei.training.valuation_model import HOLDOUT, ValuationModel

OUTLIER = "ratio_outlier"


def value_flagged_sales(city: CityConfig, features: FeaturesConfig, first_month: int) -> pd.DataFrame:
    """transaction_id, price and predicted of the hold-out's flagged sales, by the model trained before it.

    The hold-out goes from `first_month` to the city's `as_of`.
    """
    outliers = lake.scan(lake.RESOLVED_SALES).to_table(filter=pc.field("market_reasons") == OUTLIER)
    sales = flagged_sales(outliers.to_pandas(date_as_object=False), first_month)
    with tempfile.TemporaryDirectory() as folder:
        export_lookup(city, features, month_of(city.as_of) - first_month + 1, Path(folder))
        lookup = FeatureLookup(Path(folder))
    columns = columns_of(sales)
    predicted = ValuationModel.load(HOLDOUT).value(columns | lookup.features(columns)).price
    valued = sales[["transaction_id", "price"]].assign(predicted=predicted)
    return valued[np.isfinite(predicted)]


def flagged_sales(resolved: pd.DataFrame, first_month: int) -> pd.DataFrame:
    """The sales from `first_month` on whose only flag is OUTLIER, with their `month`."""
    date = pd.to_datetime(resolved["sale_date"]).dt
    sales = resolved.assign(month=(date.year * 12 + date.month - 1).astype("int64"))
    return sales[(sales["month"] >= first_month) & (sales["market_reasons"] == OUTLIER)].sort_values(
        "transaction_id", ignore_index=True
    )
