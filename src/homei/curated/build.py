"""Stage `curate`: resolved sales, properties and listings, customers, leads and indicators in; curated tables out."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from homei import lake
from homei.config import Curate, Spark
from homei.curated.customers import customer_analytics
from homei.curated.dictionary import check, dictionary_page, read_dictionary
from homei.curated.features_view import property_features
from homei.curated.markets import market_analytics
from homei.curated.measures import known_listings
from homei.curated.properties import property_analytics
from homei.curated.quality_page import quality_page
from homei.curated.quality_view import data_quality
from homei.features.session import session
from homei.lake import SparkTable
from homei.report.stable import stable_html
from homei.source import TABLES, Source

DICTIONARY = Path("reports/curated/dictionary.html")
QUALITY = Path("reports/curated/data_quality.html")


def run(source: Source, spark: Spark, curate: Curate) -> None:
    """Writes the curated tables, their dictionary and the report of data_quality.

    Raises DictionaryError where tables and dictionary don't agree.
    """
    engine = session(spark)
    tables = build(engine, source, curate)
    check(read_dictionary(), {name: curated.frame.dtypes for name, curated in tables.items()})
    lake.write_spark_tables(tables.values())
    lake.write_text(dictionary_page(read_dictionary(), source), DICTIONARY)
    lake.write_text(stable_html(quality_page(lake.read(lake.DATA_QUALITY), source)), QUALITY)


def build(engine: SparkSession, source: Source, curate: Curate) -> dict[str, SparkTable]:
    """The curated tables by name, as of the source's `as_of`."""
    as_of, index = source.as_of, lake.read(lake.MARKET_INDEX)
    sales, properties = (lake.read_spark(engine, table) for table in (lake.RESOLVED_SALES, lake.RESOLVED_PROPERTIES))
    listings = known_listings(lake.read_spark(engine, lake.RESOLVED_LISTINGS), properties, as_of).cache()
    raw = {name: lake.read_spark(engine, lake.RAW[name]) for name in TABLES}
    valid = {name: lake.read_spark(engine, table) for name, table in lake.VALID.items()}
    quarantine = lake.read_spark(engine, lake.QUARANTINE)
    homes = property_analytics(properties, sales, listings, index, as_of)
    customers = customer_analytics(valid["customers"], valid["leads"], listings, sales, as_of, curate.commission_rate)
    markets = market_analytics(sales, listings, valid["indicators"], index, as_of, curate.history_months)
    features = property_features(sales, source, curate.average_months)
    quality = data_quality(raw, valid, quarantine, source, curate.thresholds)
    return {
        "property_analytics": SparkTable(homes, lake.PROPERTY_ANALYTICS, ["property_id"]),
        "customer_analytics": SparkTable(customers, lake.CUSTOMER_ANALYTICS, ["customer_id"]),
        "market_analytics": SparkTable(markets, lake.MARKET_ANALYTICS, ["month", "location"], "month"),
        "property_features": SparkTable(features, lake.PROPERTY_FEATURES, ["transaction_id"], "sale_date"),
        "data_quality": SparkTable(quality, lake.DATA_QUALITY, ["table_name", "feed", "month", "column_name"]),
    }
