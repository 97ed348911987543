"""Stage `features`: builds the training set and the market tables behind it from market sales."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame

from homei.config import projection
from homei.config.city import CANONICAL, CityConfig
from homei.features.adjustments import comparable_features, comparable_pool, with_comparables
from homei.features.columns import feature_columns, month_of
from homei.features.comparables import pool_columns
from homei.features.config import FeaturesConfig
from homei.features.market_history import Transform, market_history, with_history, with_keys, with_market
from homei.features.points_of_interest import PointsOfInterest, project_places
from homei.features.previous_sales import previous_sales, with_previous
from homei.features.price_index import market_cells, market_index
from homei.features.price_units import whole_price_types_in_spark
from homei.features.training_sample import training_sample
from homei.spark.config import SparkConfig
from homei.spark.session import numbers, session
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.spark_tables import SparkTable


class FeatureTables(NamedTuple):
    """The tables of the stage; the small ones are pandas frames."""

    training_set: DataFrame
    index: pd.DataFrame
    history: DataFrame
    previous: DataFrame
    places: pd.DataFrame
    comparable_pool: pd.DataFrame
    adjustments: pd.DataFrame
    sample: dict[str, Any]  # how the rows of the training set were chosen


def run(seed: int, city: CityConfig, storage: StorageConfig, spark: SparkConfig, features: FeaturesConfig) -> None:
    """Writes the training set and the market tables behind it."""
    engine = session(spark, storage)
    sales, places = spark_tables.read(engine, lake.RESOLVED_SALES), lake.read(lake.VALID_PLACES)
    tables = build(sales.where("is_market"), places, city, features, seed)
    lake.write(tables.index, lake.MARKET_INDEX)
    lake.write(tables.places, lake.PLACES)
    lake.write(tables.adjustments, lake.ADJUSTMENTS)
    lake.write_json(tables.sample, lake.TRAINING_SAMPLE)
    lake.write(lake.typed(tables.comparable_pool), lake.COMPARABLE_POOL)
    outputs = [
        SparkTable(tables.history, lake.MARKET_HISTORY, key=["level", "place", "property_type", "month"]),
        SparkTable(tables.previous, lake.PREVIOUS_SALES, key=["property_id", "month"]),
        SparkTable(tables.training_set, lake.TRAINING_SET, key=["month", "transaction_id"], years_of="month"),
    ]
    spark_tables.write_all(outputs, storage)


def build(
    market_sales: DataFrame, valid_places: pd.DataFrame, city: CityConfig, features: FeaturesConfig, seed: int
) -> FeatureTables:
    """All tables from market sales and places, as known at the city's `as_of`."""
    last_month = month_of(city.as_of) + 1  # the month of the next valuations
    whole_types = whole_price_types_in_spark(market_sales)
    keyed = market_sales.transform(with_keys(city, features, whole_types)).cache()
    index = market_index(market_cells(keyed).toPandas(), last_month, features.index_months)
    sales = keyed.transform(with_market(index))
    history = market_history(sales, features, last_month).cache()
    previous = previous_sales(sales).cache()
    places = project_places(valid_places, city.coordinates)
    pool = comparable_pool(sales)
    comparables = comparable_features(pool_columns(pool), features.comparables, city.coordinates, last_month)
    sampled, sample = training_sample(sales, features.max_training_rows, seed)
    training_set = (
        sampled.transform(with_history(history, features))
        .transform(with_previous(previous))
        .transform(with_comparables(pool, comparables.features))
        .transform(with_places(places, city, features))
        .select(*training_set_columns(city, features))
    )
    return FeatureTables(training_set, index, history, previous, places, pool, comparables.adjustments, sample)


def training_set_columns(city: CityConfig, features: FeaturesConfig) -> list[str]:
    """The columns of the training set: the canonical sale with its month, extra attributes, features."""
    after_date = CANONICAL.index("sale_date") + 1
    sale = [*CANONICAL[:after_date], "month", *CANONICAL[after_date:]]
    return [*sale, *city.attributes.names, *feature_columns(city, features)]


def with_places(places: pd.DataFrame, city: CityConfig, features: FeaturesConfig) -> Transform:
    """Adds the distances and counts of `PointsOfInterest` to sales; null where a coordinate is missing.

    They are computed on the driver for the distinct coordinates, which are far fewer than the sales.
    """

    def add(sales: DataFrame) -> DataFrame:
        position = ["latitude", "longitude"]
        points = sales.select(*position).dropna().distinct().toPandas()
        x, y = projection.project(points["latitude"].to_numpy(), points["longitude"].to_numpy(), city.coordinates)
        around = PointsOfInterest(places, city.place_kinds, features.places_radius).around(x, y)
        return sales.join(numbers(sales.sparkSession, points.assign(**around)), position, "left")

    return add
