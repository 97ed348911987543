"""Stage `curate`: builds the curated tables in Spark and checks them against their dictionary."""

from __future__ import annotations

import datetime

from pyspark.sql import SparkSession

from homei.config.city import CityConfig
from homei.config.feeds import TABLES
from homei.curated.config import CurateConfig
from homei.curated.customers import customer_analytics
from homei.curated.dictionary import check_tables, read_dictionary
from homei.curated.features_view import property_features
from homei.curated.markets import market_analytics
from homei.curated.measures import listings_as_of
from homei.curated.properties import property_analytics
from homei.curated.quality_view import data_quality
from homei.spark.config import SparkConfig
from homei.spark.session import session
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.spark_tables import SparkTable


def run(city: CityConfig, storage: StorageConfig, spark: SparkConfig, curate: CurateConfig) -> None:
    """Writes the curated tables; raises DictionaryError if they differ from their dictionary."""
    engine = session(spark, storage)
    tables = build_tables(engine, city.as_of, curate)
    check_tables(read_dictionary(), {name: table.frame.dtypes for name, table in tables.items()})
    spark_tables.write_all(tables.values(), storage)


def build_tables(engine: SparkSession, as_of: datetime.date, curate: CurateConfig) -> dict[str, SparkTable]:
    """The curated tables by name."""
    index = lake.read(lake.MARKET_INDEX)
    sales, properties = (spark_tables.read(engine, table) for table in (lake.RESOLVED_SALES, lake.RESOLVED_PROPERTIES))
    listings = listings_as_of(spark_tables.read(engine, lake.RESOLVED_LISTINGS), properties, as_of).cache()
    raw = {name: spark_tables.read(engine, lake.RAW[name]) for name in TABLES}
    valid = {name: spark_tables.read(engine, table) for name, table in lake.VALID.items()}
    quarantine, feed_columns = (spark_tables.read(engine, table) for table in (lake.QUARANTINE, lake.FEED_COLUMNS))
    analytics = property_analytics(properties, sales, listings, index, as_of)
    customers = customer_analytics(valid["customers"], valid["leads"], listings, sales, as_of, curate.commission_rate)
    markets = market_analytics(sales, listings, valid["indicators"], index, as_of, curate.history_months)
    features = property_features(sales, as_of, curate.average_months)
    quality = data_quality(raw, valid, quarantine, feed_columns, as_of, curate.thresholds)
    return {
        "property_analytics": SparkTable(analytics, lake.PROPERTY_ANALYTICS, ["property_id"]),
        "customer_analytics": SparkTable(customers, lake.CUSTOMER_ANALYTICS, ["customer_id"]),
        "market_analytics": SparkTable(markets, lake.MARKET_ANALYTICS, ["month", "location"], "month"),
        "property_features": SparkTable(features, lake.PROPERTY_FEATURES, ["transaction_id"], "sale_date"),
        "data_quality": SparkTable(quality, lake.DATA_QUALITY, ["table_name", "feed", "month", "column_name"]),
    }
