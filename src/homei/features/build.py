"""Stage `features`: market sales in; the model's table and the market's tables out."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from pyspark.sql import DataFrame

from homei import lake
from homei.config import Features, Spark
from homei.features.adjustments import as_of, sold_homes, with_comparables
from homei.features.columns import feature_columns, month_of
from homei.features.comparables import columns_of
from homei.features.index import market_cells, market_index
from homei.features.market import market_history, with_history, with_keys, with_market
from homei.features.places import project_places, with_places
from homei.features.previous import previous_sales, with_previous
from homei.features.session import session
from homei.lake import SparkTable
from homei.source import CANONICAL, Source


class Tables(NamedTuple):
    """What the stage builds; frames of Spark unless small."""

    ready: DataFrame
    index: pd.DataFrame
    history: DataFrame
    previous: DataFrame
    places: pd.DataFrame
    sold: pd.DataFrame
    adjustments: pd.DataFrame


def run(source: Source, spark: Spark, features: Features) -> None:
    """Writes the model's sales, and behind them the market's index and history, previous sales, places, comparables."""
    engine = session(spark)
    sales, places = lake.read_spark(engine, lake.RESOLVED_SALES), lake.read(lake.VALID_PLACES)
    tables = build(sales.where("is_market"), places, source, features)
    lake.write(tables.index, lake.MARKET_INDEX)
    lake.write(tables.places, lake.PLACES)
    lake.write(tables.adjustments, lake.ADJUSTMENTS)
    lake.write(lake.typed(tables.sold), lake.SOLD)
    written = [
        SparkTable(tables.history, lake.MARKET_HISTORY, key=["level", "place", "property_type", "month"]),
        SparkTable(tables.previous, lake.PREVIOUS_SALES, key=["property_id", "month"]),
        SparkTable(tables.ready, lake.READY, key=["month", "transaction_id"], years_of="month"),
    ]
    lake.write_spark_tables(written)


def build(market_sales: DataFrame, valid_places: pd.DataFrame, source: Source, features: Features) -> Tables:
    """All tables from market sales and places, as they were known at the source's `as_of`."""
    last_month = month_of(source.as_of) + 1  # the month in which the next valuation is asked for
    keyed = market_sales.transform(with_keys(source, features)).cache()
    index = market_index(market_cells(keyed).toPandas(), last_month, features.index_months)
    sales = keyed.transform(with_market(index))
    history = market_history(sales, features, last_month).cache()
    previous = previous_sales(sales).cache()
    places = project_places(valid_places, source.coordinates)
    sold = sold_homes(sales)
    known = as_of(columns_of(sold), features.comparables, source.coordinates, last_month)
    ready = (
        sales.transform(with_history(history, features))
        .transform(with_previous(previous))
        .transform(with_comparables(sold, known.features))
        .transform(with_places(places, source, features))
        .select(*ready_columns(source, features))
    )
    return Tables(ready, index, history, previous, places, sold, known.worth)


def ready_columns(source: Source, features: Features) -> list[str]:
    """The columns of the model's table: the sale's own with its month after its date, extras, features."""
    after_date = CANONICAL.index("sale_date") + 1
    own = [*CANONICAL[:after_date], "month", *CANONICAL[after_date:]]
    return [*own, *source.numeric, *source.categorical, *feature_columns(source, features)]
