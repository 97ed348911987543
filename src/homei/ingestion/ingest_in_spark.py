"""Stage `ingest` in Spark: tasks map parts of files and landings as a run in the workspace does."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql.types import StructType

from homei.config.feeds import TABLES, Feed, Source
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.connectors.text_rows import SourceError, UnreadableError
from homei.ingestion.feeds import IncrementalFeed
from homei.ingestion.file_parts_in_spark import (
    FilePart,
    file_parts,
    landed_cells,
    parquet_parts,
    part_names,
    read_part,
)
from homei.ingestion.ingest import (
    ORIGIN,
    concatenated,
    landing_records,
    lookup_rows,
    matching_files,
    sheet_records,
    unreadable_file,
)
from homei.ingestion.landing import landed_file
from homei.ingestion.mapping import Lookup
from homei.ingestion.pseudonyms import KEY_VARIABLE, pseudonymised
from homei.ingestion.record_ids import content_hashes
from homei.ingestion.record_markers import marker_columns, warn_of_unused_values
from homei.ingestion.record_versions import DELETED
from homei.spark.config import SparkConfig
from homei.spark.session import is_local, session
from homei.spark.worker_errors import raised_in_workers
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.input_files import CopyError, input_file, remove_copy
from homei.storage.snapshot_writer import WRITTEN, NewSnapshot, written_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROW_KEY = ["source_feed", "source_file", "source_line"]
ORDER = "_order"  # of a row's file and sheet among those of its feed
SHEETS_A_FILE = 2**20
MAX_TASKS = 200  # of a feed


class FeedReader(NamedTuple):
    """What a task needs to read parts of a feed."""

    table: str
    feed: Feed
    folder: Path  # on this machine
    declared_folder: str
    parts: Sequence[FilePart]
    lookup: Lookup | None
    columns: Sequence[str]  # those of the table, and ORDER
    prefix: str  # of the ids
    pseudonym_key: str | None

    def read(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The records of the parts that are numbered in the first column, for `mapInArrow`."""
        if self.pseudonym_key is not None:
            os.environ.setdefault(KEY_VARIABLE, self.pseudonym_key)
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                # The hint about rows without a row in the lookup file would come once a batch.
                with contextlib.redirect_stderr(io.StringIO()):
                    for order, rows in self._records(self.parts[number]):
                        yield from self._batches(order, rows)

    def _records(self, part: FilePart) -> Iterator[tuple[int, pa.Table]]:
        if isinstance(self.feed, IncrementalFeed):
            for line, cells in landed_cells(part):
                yield 0, landing_records(cells, line, self.table, self.feed, self.lookup)
            return
        name, has_rows = part.source.path.relative_to(self.folder).as_posix(), False
        try:
            for sheet_number, sheet in read_part(part, self.feed):
                yield part.file * SHEETS_A_FILE + sheet_number, self._file_records(sheet, name + sheet.part)
                has_rows = True
        except UnreadableError as error:
            message = self._with_declared_folder(error)
            if has_rows or part.row_groups is not None or part.range is not None:
                raise SourceError(f"{message}: other rows of the file can be read; replace it") from error
            yield part.file * SHEETS_A_FILE, unreadable_file(name, UnreadableError(message))
        except SourceError as error:
            raise SourceError(self._with_declared_folder(error)) from error

    def _with_declared_folder(self, error: SourceError) -> str:
        """The message of an error that names the same file on all machines."""
        return str(error).replace(str(self.folder), self.declared_folder)

    def _file_records(self, sheet: Sheet, file: str) -> pa.Table:
        sheet = replace(sheet, cells=pseudonymised(sheet.cells, self.feed))
        rows = sheet_records(sheet, self.feed, self.lookup, file)
        if has_own_ids(self.table, self.feed):
            return rows
        hashes = pa.array(content_hashes(rows, self.feed.columns), pa.string())
        return rows.append_column(TABLES[self.table][0], hashes)

    def _batches(self, order: int, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        if self.prefix:
            position = rows.schema.get_field_index(TABLES[self.table][0])
            ids = pc.binary_join_element_wise(self.prefix, rows[position], "")
            rows = rows.set_column(position, rows.schema.names[position], ids)
        feed = pa.repeat(pa.scalar(self.feed.name), rows.num_rows)
        rows = concatenated([rows.append_column("source_feed", feed)], self.columns[:-1])
        orders = pa.repeat(pa.scalar(order, pa.int64()), rows.num_rows)
        yield from rows.append_column(ORDER, orders).combine_chunks().to_batches()


def run_in_spark(source: Source, table: str, storage: StorageConfig, spark: SparkConfig) -> None:
    """Writes the raw `table` to the external lake, and its files beside the receipt.

    Raises as `run`.
    """
    engine = session(spark, storage)
    feeds, names, written = source.of(table), [], []
    new = NewSnapshot.of(lake.RAW[table], storage)
    columns = [*source.columns(table), "source_feed", *ORIGIN, *_markers(source, table)]
    inputs = None if is_local(spark) else storage
    for position, feed in enumerate(feeds):
        parts, of_feed = _parts_of(source, table, feed, inputs)
        names += [(feed.name, name) for name in of_feed]
        folder = Path(source.city.folder).resolve()
        prefix = f"{feed.name}:" if position and table != "indicators" else ""
        reader = FeedReader(
            table, feed, folder, source.city.folder, parts, lookup_rows(source, feed), [*columns, ORDER], prefix,
            os.environ.get(KEY_VARIABLE),
        )  # fmt: skip
        try:
            with raised_in_workers(SourceError, CopyError):
                written += written_files(_tasks(engine, reader, new))
        finally:
            _remove_personal_copies(feed, parts)
    new.commit(written, StructType.fromDDL(_schema(columns)), ROW_KEY)
    lake.write_json(list(dict.fromkeys(names)), lake.RAW[table] / lake.RAW_FILES)
    rows = spark_tables.read(engine, lake.RAW[table])
    for feed in feeds:
        _check_read(rows, names, feed)
        _warn_of_unused_values(rows, feed)


def _remove_personal_copies(feed: Feed, parts: Sequence[FilePart]) -> None:
    """Removes copies of files with personal data, which is only kept as pseudonyms."""
    if feed.personal and not isinstance(feed, IncrementalFeed):
        for file in {part.source for part in parts}:
            remove_copy(file)


def _tasks(engine: SparkSession, reader: FeedReader, new: NewSnapshot) -> DataFrame:
    """The tasks that read a feed and write its records.

    Records pass through Java only to have their ids numbered.
    """
    parts = engine.range(0, len(reader.parts), 1, min(len(reader.parts), MAX_TASKS))
    if not has_own_ids(reader.table, reader.feed):
        rows = parts.mapInArrow(reader.read, _schema(reader.columns))
        return _with_numbered_ids(rows, reader.table).drop(ORDER).mapInArrow(new.task, WRITTEN)

    def task(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return new.task(batch.drop_columns([ORDER]) for batch in reader.read(numbers))

    return parts.mapInArrow(task, WRITTEN)


def has_own_ids(table: str, feed: Feed) -> bool:
    """Whether a feed's records have an id that is not made from their content."""
    return TABLES[table][0] in feed.columns or isinstance(feed, IncrementalFeed)


def _check_read(rows: DataFrame, files: Sequence[tuple[str, str]], feed: Feed) -> None:
    """Names the files of a feed that are left for the next run; raises SourceError if these are all."""
    faults = rows.filter((rows["source_feed"] == feed.name) & (rows["source_line"] == 0)).select("source_fault")
    errors = sorted(row[0].removeprefix("file: ") for row in faults.collect())
    for error in errors:
        print(f"homei: {error}; the file is left for the next run", file=sys.stderr)  # noqa: T201
    if errors and len(errors) == sum(name == feed.name for name, _ in files):
        raise SourceError("\n".join(errors))


def _warn_of_unused_values(rows: DataFrame, feed: Feed) -> None:
    from pyspark.sql import functions as F  # noqa: N812

    reasons = [f"{name} = {value}" for name, values in feed.exclude.items() for value in values]
    if reasons:
        parts = F.split("source_excluded", "; ")
        counts = [F.count_if(F.array_contains(parts, reason)) for reason in reasons]
        row_counts = rows.filter(rows["source_feed"] == feed.name).agg(*counts).first()
        warn_of_unused_values(feed, {reason for reason, count in zip(reasons, row_counts, strict=True) if count})


def _markers(source: Source, table: str) -> list[str]:
    feeds, present = source.of(table), set()
    for feed in feeds:
        if feed.include or feed.exclude:
            present.add("source_excluded")
        if isinstance(feed, IncrementalFeed) and table != "listings":
            landed = pq.read_schema(landed_file(source.city, table, feed)).names
            present |= {"source_deleted"} if DELETED in landed else set()
    return marker_columns(feeds, present)


def _parts_of(source: Source, table: str, feed: Feed, inputs: StorageConfig | None) -> tuple[list[FilePart], list[str]]:
    """The parts of a feed's files or landing, and the names that their rows have as source_file, in order.

    The files are copied to the lake of `inputs`.
    """
    if isinstance(feed, IncrementalFeed):
        path = landed_file(source.city, table, feed).resolve()
        return parquet_parts(0, input_file(path, inputs), first_line=1), [feed.name]
    parts, names, folder = [], [], Path(source.city.folder).resolve()
    for number, path in enumerate(matching_files(source, feed.files)):
        name = path.relative_to(source.city.folder).as_posix()
        parts += file_parts(number, folder / name, feed, inputs)
        names += [name, *(name + part for part in part_names(path, feed))]
    return parts, names


def _schema(columns: Sequence[str]) -> str:
    return ", ".join(f"`{name}` {'long' if name in ('source_line', ORDER) else 'string'}" for name in columns)


def _with_numbered_ids(rows: DataFrame, table: str) -> DataFrame:
    """Rows with the repeats of a content numbered in the order of the feed: "3f0a…", "3f0a…-2"."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    name = TABLES[table][0]
    number = F.row_number().over(Window.partitionBy(name).orderBy(ORDER, "source_line"))
    numbered = F.when(F.col("_number") > 1, F.concat(name, F.lit("-"), "_number")).otherwise(F.col(name))
    return rows.withColumn("_number", number).withColumn(name, numbered).drop("_number")
