"""Digests of rows, independent of their order and files: sums of two 64-bit hashes of each row.

They name the snapshots of an external lake. A publication compares the sums of each shard with those of the
publication before, and sends shards that differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

BITS = 2**64
HASH_KEY = "homei.warehouse."  # 16 characters, as pandas requires
_NULL = np.uint64(0x9E3779B97F4A7C15)
# Odd numbers, so that multiplying by them loses no bit. Two hashes of a row differ in how its columns are combined.
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0xD6E8FEB86659FD93))


class ContentSum(NamedTuple):
    """The number of rows, and the sums of their hashes modulo 2⁶⁴."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def plus(self, other: ContentSum) -> ContentSum:
        """The sum over the rows of both."""
        return ContentSum(
            self.rows + other.rows, (self.first + other.first) % BITS, (self.second + other.second) % BITS
        )

    def digest(self) -> str:
        """A SHA-256 of the sums, as text."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()


def total(sums: Iterable[ContentSum]) -> ContentSum:
    """The sum over all rows."""
    result = ContentSum()
    for part in sums:
        result = result.plus(part)
    return result


def content_sum(batches: Iterable[pa.RecordBatch]) -> ContentSum:
    """The sum over all rows of some batches."""
    return total(_sum(row_hashes(batch)) for batch in batches)


def sums_by_slice(rows: pa.RecordBatch | pa.Table, starts: np.ndarray) -> list[ContentSum]:
    """The sum of each slice of rows.

    `starts` are the first rows of the slices, which together are all rows.
    """
    if not len(starts):
        return []
    hashes, ends = row_hashes(rows), [*starts[1:].tolist(), rows.num_rows]
    return [_sum(hashes[start:end]) for start, end in zip(starts.tolist(), ends, strict=True)]


def row_hashes(rows: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Two hashes of each row over the names and values of all columns."""
    hashes = np.zeros((rows.num_rows, len(_MULTIPLIERS)), np.uint64)
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        seed = pd.util.hash_array(np.array([name], object), hash_key=HASH_KEY)
        values = _value_hashes(column) ^ seed
        for place, multiplier in enumerate(_MULTIPLIERS):
            hashes[:, place] = _mixed((hashes[:, place] ^ values) * multiplier)
    return hashes


def _value_hashes(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A hash of each value; null has one of its own."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_string(column.type):
        return _text_hashes(column)
    if pa.types.is_boolean(column.type):
        values = column.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint64)
    else:
        numbers = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
        # Adding 0 turns -0.0 into 0.0: they are equal, so a merge keeps whichever the database has.
        values = numbers.fill_null(0).to_numpy(zero_copy_only=False) + 0
    hashes = pd.util.hash_array(values, hash_key=HASH_KEY, categorize=False)
    return np.where(pc.is_valid(column).to_numpy(zero_copy_only=False), hashes, _NULL)


def _text_hashes(column: pa.Array) -> np.ndarray:
    """As `_value_hashes`; each different text is hashed once."""
    encoded = pc.dictionary_encode(column, null_encoding="mask")
    texts = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    hashes = np.append(pd.util.hash_array(texts, hash_key=HASH_KEY, categorize=False), _NULL)
    return hashes[encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Each bit of the result depends on all higher bits of the hash, which a product alone would not do."""
    return hashes ^ (hashes >> np.uint64(29))


def _sum(hashes: np.ndarray) -> ContentSum:
    first, second = (int(total) for total in hashes.sum(axis=0, dtype=np.uint64))
    return ContentSum(len(hashes), first, second)


def column_types(schema: StructType) -> dict[str, str]:
    """Spark's types by name, in the order of the columns: {"price": "double"}."""
    return {field.name: field.dataType.simpleString() for field in schema.fields}


def table_digest(columns: dict[str, str], content: ContentSum) -> str:
    """The digest of a table with columns of these types, in any order, whose rows have these sums.

    The sums are those of `content_sum` with the columns in the order of their names.
    """
    return hashlib.sha256(json.dumps([sorted(columns.items()), *content]).encode()).hexdigest()


def digest(frame: DataFrame) -> str:
    """The digest of all rows of a Spark frame.

    It is equal for equal multisets of rows with equal columns and types.
    """

    def sums(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"content": [json.dumps(content_sum(batches))]})

    parts = frame.select(sorted(frame.columns)).mapInArrow(sums, "content string").collect()
    return table_digest(column_types(frame.schema), total(ContentSum(*json.loads(row[0])) for row in parts))
