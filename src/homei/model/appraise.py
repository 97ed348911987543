"""Stage `appraise`: every property that is known, valued for the day after `as_of` as the service would value it."""

from __future__ import annotations

import datetime
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from homei import lake
from homei.config import FLAGS, Features
from homei.features.columns import month_of, place_columns
from homei.features.lookup import Lookup, export
from homei.model.preprocess import columns_of
from homei.model.valuation import Valuation
from homei.source import Source

VALUATION = Path("models/valuation")
AT_ONCE = 5_000  # homes: trees are asked in one thread, so several shares are valued side by side
VALUED = ("valued_price", "valued_low", "valued_high", "confidence")


def run(source: Source, features: Features) -> None:
    """Writes the table VALUATIONS, one row a resolved property."""
    model = Valuation.load(VALUATION)
    properties = with_extras(lake.read(lake.RESOLVED_PROPERTIES), lake.read(lake.RESOLVED_SALES), source)
    with tempfile.TemporaryDirectory() as folder:
        export(source, features, 1, Path(folder))
        history = Lookup.load(Path(folder))
    month = month_of(source.as_of + datetime.timedelta(days=1))
    shares = (properties.iloc[first : first + AT_ONCE] for first in range(0, max(len(properties), 1), AT_ONCE))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda share: appraised(share, history, model, month, place_columns(source)), shares)
    extras = [*source.numeric, *source.categorical]
    told = pd.concat(parts, ignore_index=True)[["property_id", *VALUED, "flags", *extras, *place_columns(source)]]
    versions = {"model_version": model.version, "data_version": model.meta["data_version"]}
    lake.write(told.assign(**versions), lake.VALUATIONS)


def with_extras(properties: pd.DataFrame, sales: pd.DataFrame, source: Source) -> pd.DataFrame:
    """The properties with the source's own attributes, each as the latest sale that tells it has it."""
    extras = [*source.numeric, *source.categorical]
    if not extras:
        return properties
    latest = sales.sort_values(["sale_date", "transaction_id"]).groupby("property_id")[extras].last()
    return properties.merge(latest, left_on="property_id", right_index=True, how="left")


def appraised(
    properties: pd.DataFrame, history: Lookup, model: Valuation, month: int, nearby: list[str]
) -> pd.DataFrame:
    """The properties with VALUED, `flags` (their names, separated by blanks) and the columns `nearby`.

    A property has no value where the service would refuse it: without area, location or a type that the model knows, or
    where the flags leave nothing to value by. Prices and confidence are rounded as the service's answers are.
    """
    columns = columns_of(properties) | {"month": np.full(len(properties), month, dtype=np.int64)}
    known = columns | history.features(columns)
    values = model.value(known)
    told = (
        properties["property_type"].isin(model.meta["categories"]["property_type"])
        & properties[["square_meters", "location"]].notna().all(axis=1)
    ).to_numpy() & ~model.scope.refused(values.flags)
    # As the service rounds: numpy's rounding is another one where a fifth decimal is a 5.
    confidence = [round(value, 4) for value in np.clip(1 - values.deviation, 0, 1).tolist()]
    parts = (values.price, values.low, values.high, confidence)
    valued = {name: np.where(told, part, np.nan) for name, part in zip(VALUED, parts, strict=True)}
    raised = [" ".join(name for name, is_so in zip(FLAGS, row, strict=True) if is_so) for row in values.flags.tolist()]
    return properties.assign(**valued, flags=raised, **{name: known[name] for name in nearby})
