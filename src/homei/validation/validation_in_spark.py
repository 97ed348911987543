"""Stage `validate` in Spark: a run in the workspace on parts that share no repeated record.

Rows that may repeat each other, by their id, their content or their deed, are in the same part. What needs a whole feed
(the notations of its columns, the counts of the report) is added up from parts.
"""

from __future__ import annotations

import math
import pickle
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from homei.config.feeds import SMALL_TABLES, TABLES, Feed, Source
from homei.spark.config import SparkConfig
from homei.spark.session import session
from homei.spark.worker_errors import raised_in_workers
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.snapshot_writer import NewSnapshot
from homei.validation.config import ValidateConfig
from homei.validation.notations import check_located
from homei.validation.notations_in_spark import check_notations_in_spark
from homei.validation.part_in_spark import (
    PART,
    ROWS_A_PART,
    Part,
    PartValidation,
    RepeatedRecordError,
    arrow_rows,
    quarantined_rows,
    write_quarantined,
)
from homei.validation.place_checks import validate_places
from homei.validation.quality import feeds_with_addresses, summary
from homei.validation.quality_errors import check_quality
from homei.validation.tally import tally_of, total
from homei.validation.validate import feed_columns, report, validate_records

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

LARGE_TABLES = [table for table in TABLES if table not in SMALL_TABLES]
ROW_KEY = ["source_feed", "source_file", "source_line"]
# What may surround the same id in two rows; more is removed than is trimmed, so that such rows are in one part.
BLANKS = r"[\s\p{Z}\p{C}]+"


def run_in_spark(source: Source, validate: ValidateConfig, storage: StorageConfig, spark: SparkConfig) -> None:
    """Writes what `validate.run` writes, large tables to the external lake; raises as it does."""
    engine = session(spark, storage)
    raw = {table: spark_tables.read(engine, lake.RAW[table]) for table in LARGE_TABLES}
    columns = {table: columns_of(frame, source, table) for table, frame in raw.items()}
    indicators = lake.read_text_columns(lake.RAW["indicators"])
    validated = validate_records(indicators, source, "indicators")
    places = validate_places(lake.read(lake.RAW["places"]), source)
    small = {"indicators": validated.quarantined, "places": places.quarantined}
    of_small = [quarantined_rows(rows, table).schema for table, rows in small.items()]
    types = pa.unify_schemas([*(quarantined for _, quarantined in columns.values()), *of_small])
    quarantine = NewSnapshot.of(lake.QUARANTINE, storage)
    written = [write_quarantined(rows, table, quarantine, types) for table, rows in small.items()]
    tallies = {"indicators": tally_of(indicators, validated, source, "indicators")}
    new, files = {table: NewSnapshot.of(lake.VALID[table], storage) for table in LARGE_TABLES}, {}
    for table, frame in raw.items():
        names = [tuple(name) for name in lake.read_json(lake.RAW[table] / lake.RAW_FILES)]
        parts = validate_in_spark(frame, PartValidation(source, table, names, new[table], quarantine, types))
        tallies[table] = total(part.tally for part in parts)
        files[table] = [part.valid for part in parts if part.valid]
        written += [part.quarantined for part in parts]
    prices = dict.fromkeys(feeds_with_addresses(source), 0)
    if uris := new["sales"].uris(files["sales"]):
        prices = shared_prices_in_spark(spark_tables.read_files(engine, uris), source)
    quality = summary(tallies, places.counts, prices, source, validate.max_rejected_share)
    quarantine.commit(filter(None, written), from_arrow_schema(types), ["source_table", *ROW_KEY])
    report(quality)
    check_quality(quality, source, tallies)
    for table, of_table in files.items():
        new[table].commit(of_table, from_arrow_schema(columns[table][0]), ROW_KEY)
    lake.write(validated.valid, lake.VALID["indicators"])
    lake.write(places.valid, lake.VALID_PLACES)
    lake.write(feed_columns(source), lake.FEED_COLUMNS)


def columns_of(raw: DataFrame, source: Source, table: str) -> tuple[pa.Schema, pa.Schema]:
    """The columns of the valid and of the quarantined records of a raw table."""
    no_rows = to_arrow_schema(raw.schema).empty_table().to_pandas(types_mapper={pa.string(): lake.TEXT}.get)
    empty = validate_records(no_rows, source, table)
    return arrow_rows(empty.valid).schema, quarantined_rows(empty.quarantined, table).schema


def validate_in_spark(raw: DataFrame, validation: PartValidation, rows_a_part: int = ROWS_A_PART) -> list[Part]:
    """Validates a raw table and writes its records; what each task wrote and counted.

    Raises NotationError, also for coordinates of a whole feed, and RepeatedRecordError.
    """
    source, table = validation.source, validation.table
    check_notations_in_spark(raw, validation.files, source, table)
    n_parts = max(1, math.ceil(raw.count() / rows_a_part))
    by_record = raw.repartition(n_parts, record_key(source, table))
    with raised_in_workers(RepeatedRecordError):
        parts = [pickle.loads(row[0]) for row in by_record.mapInArrow(validation.task, PART).collect()]
    located = sum((part.located for part in parts), Counter())
    for feed in source.of(table):
        of_feed = {fault: count for (name, fault), count in located.items() if name == feed.name}
        check_located(of_feed, feed, source, table)
    return parts


def record_key(source: Source, table: str) -> Expression:
    """A hash that is the same for all rows that may state the same record.

    `repeats` and `deed_reasons` define which rows these are.
    """

    alone = F.xxhash64("source_file", "source_line")
    keys = [F.when(F.col("source_feed") == feed.name, _key_of(feed, table)) for feed in source.of(table)]
    return F.coalesce(*keys, alone)


def shared_prices_in_spark(sales: DataFrame, source: Source) -> dict[str, int]:
    """As `shared_prices`, of a Spark frame."""

    counts = {}
    for name in feeds_with_addresses(source):
        names = ["sale_date", "price", "address", "square_meters"]
        rows = sales.filter(F.col("source_feed") == name).select(names).dropna()
        areas = rows.groupBy(names[:-1]).agg(
            F.count("*").alias("n"), F.min("square_meters").alias("low"), F.max("square_meters").alias("high")
        )
        counts[name] = areas.filter("low < high").agg(F.sum("n")).first()[0] or 0
    return counts


def _key_of(feed: Feed, table: str) -> Expression:

    name = TABLES[table][0]
    names = [name] if name in feed.columns else [*feed.columns]
    cells = [F.regexp_replace(name, BLANKS, "") for name in names]
    key = F.when(F.coalesce(*names).isNotNull(), F.xxhash64(F.lit(feed.name), *cells))
    if feed.deed is None:
        return key
    return F.when(F.col("source_deed").isNotNull(), F.xxhash64(F.lit(feed.name), "source_deed")).otherwise(key)
