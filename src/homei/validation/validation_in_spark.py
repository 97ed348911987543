"""Stage `validate` in Spark: the functions of the laptop's stage on parts in which records repeat no other part's.

Rows that may repeat each other, by their id, their content or their deed, are in the same part. What needs a whole feed
(the notations of its columns, the counts of the report) is added up from parts.
"""

from __future__ import annotations

import math
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import StorageLevel
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from homei.config.feeds import TABLES, Feed, Source
from homei.spark.config import SparkConfig
from homei.spark.session import session
from homei.spark.worker_errors import raised_in_workers
from homei.storage import lake, snapshots, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.spark_tables import SparkTable
from homei.validation.config import ValidateConfig
from homei.validation.notations import check_located
from homei.validation.notations_in_spark import check_notations_in_spark
from homei.validation.parsing import parse_cells
from homei.validation.place_checks import validate_places
from homei.validation.quality import feeds_with_addresses, summary
from homei.validation.quality_errors import check_quality
from homei.validation.tally import Tally, tally_of, total
from homei.validation.validate import feed_columns, report, validate_parsed, validate_records

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame, SparkSession

ROW_KEY = ["source_feed", "source_file", "source_line"]
ROWS_A_PART = 50_000
ROWS_AT_MOST = 20 * ROWS_A_PART  # in a part: more of them fit into no worker's memory
LINES_A_FILE = 2**40  # more than any file has
VALID, REJECTED, TALLY = "valid_", "rejected_", "tally"
# What may surround the same id in two rows; more is removed than is trimmed, so that such rows are in one part.
BLANKS = r"[\s\p{Z}\p{C}]+"


class RepeatedRecordError(ValueError):
    """Too many rows that state one record."""


class ValidatedInSpark(NamedTuple):
    """Valid and quarantined records, as those of `validate_records`, and their counts."""

    valid: DataFrame
    quarantined: DataFrame
    tally: Tally


def run_in_spark(source: Source, validate: ValidateConfig, storage: StorageConfig, spark: SparkConfig) -> None:
    """Writes what `validate.run` writes, large tables to the external lake; raises as it does."""
    engine = session(spark, storage)
    valid, rejected, tallies = {}, [], {}
    for table in TABLES:
        if snapshots.read_receipt(lake.RAW[table]) is None:
            rows = lake.read_text_columns(lake.RAW[table])
            of_table = validate_records(rows, source, table)
            tallies[table] = tally_of(rows, of_table, source, table)
            quarantined = _in_spark(engine, of_table.quarantined)
        else:
            files = [tuple(file) for file in lake.read_json(lake.RAW[table] / lake.RAW_FILES)]
            of_table = validate_in_spark(spark_tables.read(engine, lake.RAW[table]), files, source, table)
            tallies[table], quarantined = of_table.tally, of_table.quarantined
        valid[table] = of_table.valid
        rejected.append(quarantined.withColumn("source_table", F.lit(table)))
    places = validate_places(lake.read(lake.RAW["places"]), source)
    rejected.append(_in_spark(engine, places.quarantined).withColumn("source_table", F.lit("places")))
    prices = shared_prices_in_spark(valid["sales"], source)
    quality = summary(tallies, places.counts, prices, source, validate.max_rejected_share)
    quarantine = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), rejected)
    spark_tables.write(SparkTable(quarantine, lake.QUARANTINE, ["source_table", *ROW_KEY]), storage)
    report(quality)
    check_quality(quality, source, tallies)
    for table, rows in valid.items():
        if isinstance(rows, pd.DataFrame):
            lake.write(rows, lake.VALID[table])
        else:
            spark_tables.write(SparkTable(rows, lake.VALID[table], ROW_KEY), storage)
    lake.write(places.valid, lake.VALID_PLACES)
    lake.write(feed_columns(source), lake.FEED_COLUMNS)


def validate_in_spark(
    raw: DataFrame, files: Sequence[tuple[str, str]], source: Source, table: str, rows_a_part: int = ROWS_A_PART
) -> ValidatedInSpark:
    """The valid and the quarantined records of a raw table, with the notations of its feeds checked.

    `files` are the feeds' names, each with that of one of its files, in the order of the raw table. The frames stay
    on the workers' disks until the session ends. Raises NotationError and RepeatedRecordError.
    """
    check_notations_in_spark(raw, files, source, table)
    schema = to_arrow_schema(raw.schema)
    validate = _validator(files, source, table)
    empty = next(validate([pa.RecordBatch.from_pylist([], schema)])).schema
    n_parts = max(1, math.ceil(raw.count() / rows_a_part))
    by_record = raw.repartition(n_parts, record_key(source, table))
    rows = by_record.mapInArrow(validate, from_arrow_schema(empty)).persist(StorageLevel.DISK_ONLY)
    tallies, located = [], Counter()
    with raised_in_workers(RepeatedRecordError):
        for row in rows.filter(F.col(TALLY).isNotNull()).select(TALLY).toLocalIterator():
            tally, faults = pickle.loads(row[TALLY])
            tallies.append(tally)
            located.update(faults)
    for feed in source.of(table):
        check_located(
            {fault: count for (name, fault), count in located.items() if name == feed.name}, feed, source, table
        )
    return ValidatedInSpark(_with_prefix(rows, VALID), _with_prefix(rows, REJECTED), total(tallies))


def record_key(source: Source, table: str) -> Expression:
    """A hash that is the same for all rows that may state the same record, as `repeats` and `deed_reasons` see it."""

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

    ids = ["series", "month"] if table == "indicators" else [TABLES[table][0]]
    names = ids if feed.columns.keys() >= {*ids} else [*feed.columns]
    cells = [F.regexp_replace(name, BLANKS, "") for name in names]
    key = F.when(F.coalesce(*names).isNotNull(), F.xxhash64(F.lit(feed.name), *cells))
    if feed.deed is None:
        return key
    return F.when(F.col("source_deed").isNotNull(), F.xxhash64(F.lit(feed.name), "source_deed")).otherwise(key)


def _validator(
    files: Sequence[tuple[str, str]], source: Source, table: str
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow` that validates a part, as rows with valid and rejected columns and one tally."""
    order = pa.array([_file_key(*file) for file in files], pa.string())

    def validate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = _limited(batches, table)
        if rows is None:
            return
        rows, positions = _in_order(rows, order)
        raw = rows.to_pandas(types_mapper={pa.string(): lake.TEXT}.get)
        parsed = parse_cells(raw, source, table)
        validated = validate_parsed(raw, parsed, source, table)
        tally = tally_of(raw, validated, source, table, positions)
        located = Counter({(feed, kind): n for feed, kinds in parsed.located.items() for kind, n in kinds.items()})
        yield from _as_batches(validated.valid, validated.quarantined, pickle.dumps((tally, located)))

    return validate


def _limited(batches: Iterable[pa.RecordBatch], table: str) -> pa.Table | None:
    """All rows of a part, None if there is no batch; raises RepeatedRecordError if they are too many."""
    read, n_rows = [], 0
    for batch in batches:
        read.append(batch)
        n_rows += batch.num_rows
        if n_rows > ROWS_AT_MOST:
            first = batch.slice(0, 1).to_pylist()[0]
            raise RepeatedRecordError(
                f"{table}: more than {ROWS_AT_MOST - ROWS_A_PART:,} rows of feed {first['source_feed']} seem to state "
                f"one record, such as line {first['source_line']} of {first['source_file']}: map a column that "
                f"identifies each record as {TABLES[table][0]}, and check the feed's deed"
            )
    return pa.Table.from_batches(read) if read else None


def _in_order(rows: pa.Table, files: pa.Array) -> tuple[pa.Table, np.ndarray]:
    """The rows in the order of the raw table, and their positions, which have gaps."""
    keys = pc.binary_join_element_wise(rows["source_feed"], rows["source_file"], "/")
    file = pc.index_in(keys, value_set=files)
    if file.null_count:
        unknown = keys.filter(pc.is_null(file))[0].as_py()
        raise ValueError(f"{unknown} is not among the files of the raw table: run `homei ingest` again")
    positions = pc.add(pc.multiply(file.cast(pa.int64()), LINES_A_FILE), rows["source_line"])
    order = pc.sort_indices(positions)
    return rows.take(order), positions.take(order).to_numpy()


def _file_key(feed: str, file: str) -> str:
    return f"{feed}/{file}"


def _as_batches(valid: pd.DataFrame, rejected: pd.DataFrame, tally: bytes) -> Iterator[pa.RecordBatch]:
    """Valid rows, rejected rows and the tally, each null in the columns of the others."""
    parts = [
        _as_arrow(valid, VALID),
        _as_arrow(lake.typed(rejected), REJECTED),
        pa.table({TALLY: pa.array([tally], pa.binary())}),
    ]
    schema = pa.schema([column for part in parts for column in part.schema])
    for part in parts:
        columns = [
            part[column.name] if column.name in part.column_names else pa.nulls(part.num_rows, column.type)
            for column in schema
        ]
        yield from pa.table(columns, schema=schema).combine_chunks().to_batches() or [
            pa.RecordBatch.from_pylist([], schema)
        ]


def _in_spark(engine: SparkSession, rows: pd.DataFrame) -> DataFrame:
    table = pa.Table.from_pandas(lake.typed(rows), preserve_index=False).replace_schema_metadata()
    return engine.createDataFrame(table)


def _as_arrow(frame: pd.DataFrame, prefix: str) -> pa.Table:
    rows = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    return rows.rename_columns([f"{prefix}{name}" for name in rows.column_names])


def _with_prefix(rows: DataFrame, prefix: str) -> DataFrame:
    """The rows that have columns with a prefix, under their names without it."""

    names = [name for name in rows.columns if name.startswith(prefix)]
    of_kind = rows.filter(F.col(f"{prefix}source_line").isNotNull())
    return of_kind.select(*(F.col(name).alias(name.removeprefix(prefix)) for name in names))
