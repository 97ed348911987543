"""A digest of the rows of a Spark frame that depends on neither their order nor the files that hold them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BITS = 2**64
HASHES = ("_first_hash", "_second_hash")


def column_types(frame: DataFrame) -> dict[str, str]:
    """Spark's types by name, in the order of the columns: {"price": "double"}."""
    return {field.name: field.dataType.simpleString() for field in frame.schema.fields}


def with_hashes(frame: DataFrame) -> DataFrame:
    """The frame with two hashes of each row over all columns, in the order of their names."""
    return frame.withColumns(dict(zip(HASHES, row_hashes(frame), strict=True)))


def row_hashes(frame: DataFrame) -> list[Column]:
    from pyspark.sql import functions as F  # noqa: N812

    columns = [F.col(f"`{name}`") for name in sorted(frame.columns)]
    # xxhash64 passes over nulls, so that ("a", null) and (null, "a") would be equal.
    cells = [*columns, *(column.isNull() for column in columns)]
    return [F.xxhash64(*cells), F.xxhash64(F.lit(1), *cells)]


def digest_of(columns: dict[str, str], rows: int, first: int, second: int) -> str:
    """The digest of so many rows of these columns whose hashes have these sums modulo 2⁶⁴."""
    content = json.dumps([sorted(columns.items()), rows, first % BITS, second % BITS])
    return hashlib.sha256(content.encode()).hexdigest()


def digest(frame: DataFrame) -> str:
    """The digest of all rows; equal for equal multisets of rows with equal columns and types."""
    from pyspark.sql import functions as F  # noqa: N812

    sums = [F.sum(column.cast("decimal(20,0)")) for column in row_hashes(frame)]
    rows, first, second = frame.select(F.count(F.lit(1)), *sums).first()
    return digest_of(column_types(frame), rows, int(first or 0), int(second or 0))
