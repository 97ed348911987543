"""Validation of a part of a table by a Spark task, which writes valid and rejected records itself."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from homei.config.feeds import TABLES, Source
from homei.storage import lake
from homei.storage.snapshot_writer import NewSnapshot, WrittenFile
from homei.validation.parsing import parse_cells
from homei.validation.tally import Tally, tally_of
from homei.validation.validate import validate_parsed

ROWS_A_PART = 50_000
ROWS_AT_MOST = 20 * ROWS_A_PART  # in a part: more of them fit into no worker's memory
LINES_A_FILE = 2**40  # more than any file has
PART = "part binary"  # the schema of what `PartValidation.task` returns


class RepeatedRecordError(ValueError):
    """Too many rows that state one record."""


class Part(NamedTuple):
    """What a task wrote and counted; `located` has the numbers of faulty coordinates by feed and fault."""

    valid: WrittenFile | None
    quarantined: WrittenFile | None
    tally: Tally
    located: Counter[tuple[str, str]]


class PartValidation(NamedTuple):
    """What a task needs to validate a part of a table and to write its records."""

    source: Source
    table: str
    files: Sequence[tuple[str, str]]  # feeds' names, each with that of one of its files, in the raw table's order
    valid: NewSnapshot
    quarantine: NewSnapshot
    quarantine_types: pa.Schema

    def task(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Validates and writes the rows of a part, for `mapInArrow`; returns a pickled Part."""
        rows = _limited(batches, self.table)
        if rows is None:
            return
        rows, positions = _in_order(rows, self.files)
        raw = rows.to_pandas(types_mapper={pa.string(): lake.TEXT}.get)
        parsed = parse_cells(raw, self.source, self.table)
        validated = validate_parsed(raw, parsed, self.source, self.table)
        located = Counter({(feed, kind): n for feed, kinds in parsed.located.items() for kind, n in kinds.items()})
        part = Part(
            self.valid.write_file(arrow_rows(validated.valid).to_batches()),
            write_quarantined(validated.quarantined, self.table, self.quarantine, self.quarantine_types),
            tally_of(raw, validated, self.source, self.table, positions),
            located,
        )
        yield pa.RecordBatch.from_pydict({"part": [pickle.dumps(part)]})


def write_quarantined(rows: pd.DataFrame, table: str, quarantine: NewSnapshot, types: pa.Schema) -> WrittenFile | None:
    """Writes a file of the quarantine, with the columns of all tables; None without rows."""
    named = quarantined_rows(rows, table)
    columns = [
        named[column.name] if column.name in named.column_names else pa.nulls(named.num_rows, column.type)
        for column in types
    ]
    return quarantine.write_file(pa.table(columns, schema=types).to_batches())


def quarantined_rows(rows: pd.DataFrame, table: str) -> pa.Table:
    """The rejected records of a table with its name as source_table."""
    return arrow_rows(lake.typed(rows.assign(source_table=table)))


def arrow_rows(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


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


def _in_order(rows: pa.Table, files: Sequence[tuple[str, str]]) -> tuple[pa.Table, np.ndarray]:
    """The rows in the order of the raw table, and their positions, which have gaps."""
    order = pa.array([f"{feed}/{file}" for feed, file in files], pa.string())
    keys = pc.binary_join_element_wise(rows["source_feed"], rows["source_file"], "/")
    file = pc.index_in(keys, value_set=order)
    if file.null_count:
        unknown = keys.filter(pc.is_null(file))[0].as_py()
        raise ValueError(f"{unknown} is not among the files of the raw table: run `homei ingest` again")
    positions = pc.add(pc.multiply(file.cast(pa.int64()), LINES_A_FILE), rows["source_line"])
    indices = pc.sort_indices(positions)
    return rows.take(indices), positions.take(indices).to_numpy()
