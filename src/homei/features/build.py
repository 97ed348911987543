"""Stage `features`: builds the training set and the market tables behind it from market sales."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from homei.config import projection
from homei.config.city import CANONICAL, CityConfig
from homei.features import comparables_in_spark
from homei.features.adjustments import comparable_features, comparable_pool, pool_rows, with_comparables
from homei.features.columns import feature_columns, month_of, place_columns
from homei.features.comparables import pool_columns
from homei.features.config import FeaturesConfig
from homei.features.market_history import PLACE, Transform, market_history, with_history, with_keys, with_market
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
    """The tables of the stage.

    Small tables are pandas frames. The pool is one too, unless it is built in Spark.
    """

    training_set: DataFrame
    index: pd.DataFrame
    history: DataFrame
    previous: DataFrame
    places: pd.DataFrame
    comparable_pool: pd.DataFrame | DataFrame
    adjustments: pd.DataFrame
    sample: dict[str, Any]  # how the rows of the training set were chosen


def run(seed: int, city: CityConfig, storage: StorageConfig, spark: SparkConfig, features: FeaturesConfig) -> None:
    """Writes the training set and the market tables behind it."""
    engine = session(spark, storage)
    sales, places = spark_tables.read(engine, lake.RESOLVED_SALES), lake.read(lake.VALID_PLACES)
    tables = build(sales.where("is_market"), places, city, features, seed, in_spark=storage.is_external)
    lake.write(tables.index, lake.MARKET_INDEX)
    lake.write(tables.places, lake.PLACES)
    lake.write(tables.adjustments, lake.ADJUSTMENTS)
    lake.write_json(tables.sample, lake.TRAINING_SAMPLE)
    outputs = [
        SparkTable(tables.history, lake.MARKET_HISTORY, key=["level", "place", "property_type", "month"]),
        SparkTable(tables.previous, lake.PREVIOUS_SALES, key=["property_id", "month"]),
        SparkTable(tables.training_set, lake.TRAINING_SET, key=["month", "transaction_id"], years_of="month"),
    ]
    if isinstance(tables.comparable_pool, pd.DataFrame):
        lake.write(lake.typed(tables.comparable_pool), lake.COMPARABLE_POOL)
    else:
        outputs.append(SparkTable(tables.comparable_pool, lake.COMPARABLE_POOL, key=["month", "transaction_id"]))
    spark_tables.write_all(outputs, storage)


def build(
    market_sales: DataFrame,
    valid_places: pd.DataFrame,
    city: CityConfig,
    features: FeaturesConfig,
    seed: int,
    in_spark: bool = False,
) -> FeatureTables:
    """All tables from market sales and places, as known at the city's `as_of`.

    With `in_spark`, nothing that grows with the sales is collected; for a small city, that takes longer.
    """
    last_month = month_of(city.as_of) + 1  # the month of the next valuations
    whole_types = whole_price_types_in_spark(market_sales)
    # Not cached: to read the needed columns of Parquet again takes less than to keep all of them in Spark's memory.
    keyed = market_sales.transform(with_keys(city, features, whole_types))
    index = market_index(market_cells(keyed).toPandas(), last_month, features.index_months)
    sales = keyed.transform(with_market(index))
    history = market_history(sales, features, last_month).cache()
    previous = previous_sales(sales).cache()
    places = project_places(valid_places, city.coordinates)
    sampled, sample = training_sample(sales, features.max_training_rows, seed)
    compare = _compared_in_spark if in_spark else _compared_on_driver
    pool, adjustments, with_comparables = compare(sales, sampled, sample, city, features)
    # Joined to the keys alone first, so that all columns of the sales are sent between tasks once.
    history_features = (
        sampled.select("transaction_id", "month", "property_type", "property_id", *PLACE.values())
        .transform(with_history(history, features))
        .transform(with_previous(previous))
        .transform(with_comparables)
        .drop("month", "property_type", "property_id", *PLACE.values())
    )
    training_set = (
        sampled.join(history_features, "transaction_id", "left")
        .transform((with_places_in_spark if in_spark else with_places)(places, city, features))
        .select(*training_set_columns(city, features))
    )
    return FeatureTables(training_set, index, history, previous, places, pool, adjustments, sample)


def _compared_on_driver(
    sales: DataFrame, sampled: DataFrame, sample: dict[str, Any], city: CityConfig, features: FeaturesConfig
) -> tuple[pd.DataFrame, pd.DataFrame, Transform]:
    """The pool of comparable sales, the adjustments, and the function that adds comparable features."""
    pool = comparable_pool(pool_rows(sales))
    is_chosen = None
    if sample["is_sampled"]:
        is_chosen = (
            pool["transaction_id"].isin(sampled.select("transaction_id").toPandas()["transaction_id"]).to_numpy()
        )
    columns, last_month = pool_columns(pool), month_of(city.as_of) + 1
    values = comparable_features(columns, features.comparables, city.coordinates, last_month, is_chosen)
    return pool, values.adjustments, with_comparables(pool, values.features)


def _compared_in_spark(
    sales: DataFrame, sampled: DataFrame, sample: dict[str, Any], city: CityConfig, features: FeaturesConfig
) -> tuple[DataFrame, pd.DataFrame, Transform]:
    """As `_compared_on_driver`; the pool is a Spark table."""
    pool = pool_rows(sales).cache()
    queries = pool_rows(sampled) if sample["is_sampled"] else pool
    last_month = month_of(city.as_of) + 1
    tables = comparables_in_spark.comparable_features(pool, queries, features.comparables, city.coordinates, last_month)
    return pool, tables.adjustments, lambda rows: rows.join(tables.features, "transaction_id", "left")


def training_set_columns(city: CityConfig, features: FeaturesConfig) -> list[str]:
    """The columns of the training set: the canonical sale with its month, extra attributes, features."""
    after_date = CANONICAL.index("sale_date") + 1
    sale = [*CANONICAL[:after_date], "month", *CANONICAL[after_date:]]
    return [*sale, *city.attributes.names, *feature_columns(city, features)]


def with_places(places: pd.DataFrame, city: CityConfig, features: FeaturesConfig) -> Transform:
    """Adds the distances and counts of `PointsOfInterest` to sales; null where a coordinate is missing.

    They are computed on the driver for the distinct coordinates: starting Python workers would take longer.
    """

    def add(sales: DataFrame) -> DataFrame:
        position = ["latitude", "longitude"]
        points = sales.select(*position).dropna().distinct().toPandas()
        around = _around(points["latitude"], points["longitude"], places, city, features)
        return sales.join(numbers(sales.sparkSession, points.assign(**around)), position, "left")

    return add


def with_places_in_spark(places: pd.DataFrame, city: CityConfig, features: FeaturesConfig) -> Transform:
    """As `with_places`, computed by Spark's workers for each sale."""
    names = place_columns(city)

    def add(sales: DataFrame) -> DataFrame:
        if not names:
            return sales

        @F.pandas_udf(", ".join(f"`{name}` double" for name in names))
        def around(latitude: pd.Series, longitude: pd.Series) -> pd.DataFrame:
            return pd.DataFrame(_around(latitude, longitude, places, city, features))[names]

        values = sales.withColumn("around", around("latitude", "longitude"))
        return values.withColumns({name: F.col(f"around.`{name}`") for name in names}).drop("around")

    return add


def _around(
    latitude: pd.Series, longitude: pd.Series, places: pd.DataFrame, city: CityConfig, features: FeaturesConfig
) -> dict[str, np.ndarray]:
    x, y = projection.project(latitude.to_numpy("f8"), longitude.to_numpy("f8"), city.coordinates)
    return PointsOfInterest(places, city.place_kinds, features.places_radius).around(x, y)
