"""Stage `appraise`: values every known property for the day after `as_of`, as the service would."""

from __future__ import annotations

import datetime
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.features.columns import month_of, place_columns
from homei.features.config import FeaturesConfig
from homei.features.feature_lookup import FeatureLookup, export_lookup
from homei.storage import lake
from homei.training.config import FLAGS
from homei.training.encoding import columns_of
from homei.training.valuation_model import VALUATION, ValuationModel

BATCH = 5_000  # properties a thread
VALUE_COLUMNS = ("valued_price", "valued_low", "valued_high", "confidence")


def run(city: CityConfig, features: FeaturesConfig) -> None:
    """Writes the table VALUATIONS, one row for each resolved property."""
    model = ValuationModel.load(VALUATION)
    properties = with_extras(lake.read(lake.RESOLVED_PROPERTIES), lake.read(lake.RESOLVED_SALES), city)
    with tempfile.TemporaryDirectory() as folder:
        export_lookup(city, features, 1, Path(folder))
        lookup = FeatureLookup(Path(folder))
    month = month_of(city.as_of + datetime.timedelta(days=1))
    batches = [properties.iloc[first : first + BATCH] for first in range(0, max(len(properties), 1), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda batch: value_properties(batch, lookup, model, month, place_columns(city)), batches)
    extras = city.attributes.names
    columns = ["property_id", *VALUE_COLUMNS, "flags", *extras, *place_columns(city)]
    versions = {"model_version": model.version, "data_version": model.meta["data_version"]}
    lake.write(pd.concat(parts, ignore_index=True)[columns].assign(**versions), lake.VALUATIONS)


def with_extras(properties: pd.DataFrame, sales: pd.DataFrame, city: CityConfig) -> pd.DataFrame:
    """The properties with the city's extra attributes, each from the property's latest sale that has it."""
    extras = city.attributes.names
    if not extras:
        return properties
    latest = sales.sort_values(["sale_date", "transaction_id"]).groupby("property_id")[extras].last()
    return properties.merge(latest, left_on="property_id", right_index=True, how="left")


def value_properties(
    properties: pd.DataFrame, lookup: FeatureLookup, model: ValuationModel, month: int, place_features: list[str]
) -> pd.DataFrame:
    """The properties with VALUE_COLUMNS, `flags` (names separated by blanks) and `place_features`.

    The values are NaN where the service would refuse a valuation: without location, known type or an area that the
    model needs, or where the flags show insufficient market evidence. Prices and confidence are rounded as in the
    service's responses.
    """
    columns = columns_of(properties) | {"month": np.full(len(properties), month, dtype=np.int64)}
    columns |= lookup.features(columns)
    values = model.value(columns)
    is_known_type = properties["property_type"].isin([*model.applicability.types])
    is_complete = (properties["location"].notna() & is_known_type).to_numpy() & np.isfinite(values.price)
    is_valued = is_complete & ~model.applicability.is_refused(values.flags)
    # Python's round, as in the service: numpy rounds a fifth decimal of 5 differently.
    confidence = [round(value, 4) for value in np.clip(1 - values.deviation, 0, 1).tolist()]
    parts = zip(VALUE_COLUMNS, (values.price, values.low, values.high, confidence), strict=True)
    valued = {name: np.where(is_valued, part, np.nan) for name, part in parts}
    flags = [" ".join(name for name, is_set in zip(FLAGS, row, strict=True) if is_set) for row in values.flags.tolist()]
    return properties.assign(**valued, flags=flags, **{name: columns[name] for name in place_features})
