"""Stage `appraise`: values every known property for the day after `as_of`, as the service would."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.config.city import CityConfig
from homei.features.columns import month_of, place_columns
from homei.features.config import FeaturesConfig
from homei.features.feature_lookup import FeatureLookup, export_lookup
from homei.storage import lake
from homei.storage.config import StorageConfig
from homei.storage.key_buckets import LakeColumns, buckets, n_buckets_for
from homei.storage.snapshot_writer import write_tables
from homei.training.config import FLAGS
from homei.training.encoding import columns_of
from homei.training.valuation_model import VALUATION, ValuationModel

BATCH = 5_000  # properties a thread
VALUE_COLUMNS = ("valued_price", "valued_low", "valued_high", "confidence")


def run(city: CityConfig, features: FeaturesConfig, storage: StorageConfig) -> None:
    """Writes the table VALUATIONS, one row for each resolved property.

    With an external lake, one bucket of properties at a time is in memory.
    """
    model = ValuationModel.load(VALUATION)
    versions = {"model_version": model.version, "data_version": model.meta["data_version"]}
    names = ["property_id", *VALUE_COLUMNS, "flags", *city.attributes.names, *place_columns(city), *versions]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        valued = (
            part.assign(**versions)[names]
            for part in _valued_buckets(city, features, model, Path(scratch), storage.is_external, pool)
        )
        if storage.is_external:
            schema = _schema(names, city)
            tables = (pa.Table.from_pandas(part, schema, preserve_index=False) for part in valued)
            write_tables(tables, lake.VALUATIONS, ["property_id"], storage)
        else:
            lake.write(pd.concat(valued, ignore_index=True), lake.VALUATIONS)


def _valued_buckets(
    city: CityConfig, features: FeaturesConfig, model: ValuationModel, scratch: Path, is_divided: bool, pool: Executor
) -> Iterator[pd.DataFrame]:
    """The result of `value_properties` for each bucket of properties; for all at once unless `is_divided`."""
    export_lookup(city, features, 1, scratch / "lookup")
    lookup = FeatureLookup(scratch / "lookup", has_previous_sales=False)
    month = month_of(city.as_of + datetime.timedelta(days=1))
    sources = [
        LakeColumns(lake.RESOLVED_PROPERTIES, lake.scan(lake.RESOLVED_PROPERTIES).schema.names),
        LakeColumns(scratch / "lookup" / lake.PREVIOUS_SALES.name, ["property_id", "month", "u"]),
    ]
    if city.attributes.names:
        columns = ["property_id", "transaction_id", "sale_date", *city.attributes.names]
        sources.append(LakeColumns(lake.RESOLVED_SALES, columns, pc.field("property_id").is_valid()))
    n_buckets = n_buckets_for(*sources) if is_divided else 1
    parts = (buckets(source, n_buckets, scratch / str(number)) for number, source in enumerate(sources))
    for properties, previous, *sales in zip(*parts, strict=True):
        frame = properties.to_pandas(date_as_object=False)
        if sales:
            frame = with_extras(frame, sales[0].to_pandas(date_as_object=False), city)
        here = lookup.with_previous_sales(previous.to_pandas())
        batches = [frame.iloc[first : first + BATCH] for first in range(0, max(len(frame), 1), BATCH)]
        value = partial(value_properties, lookup=here, model=model, month=month, place_features=place_columns(city))
        yield pd.concat(pool.map(value, batches), ignore_index=True)


def _schema(names: Sequence[str], city: CityConfig) -> pa.Schema:
    """The types of the columns of VALUATIONS, for buckets in which a column has no value."""
    numbers = {*VALUE_COLUMNS, *place_columns(city)}
    types = dict.fromkeys(names, pa.string()) | dict.fromkeys(numbers, pa.float64())
    types |= {name: lake.scan(lake.RESOLVED_SALES).schema.field(name).type for name in city.attributes.names}
    return pa.schema([(name, types[name]) for name in names])


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
