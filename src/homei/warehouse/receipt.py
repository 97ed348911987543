"""What was published, in bytes that any warehouse of the same contents gives: versions, and rows and a hash a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import JSON, Column, ColumnElement, Connection, Table, Text, cast, collate, select, type_coerce
from tqdm import tqdm

from homei.warehouse.contents import schema_of
from homei.warehouse.tables import PUBLISHED, publication

FILE = Path("reports/publish/receipt.json")
# Made once: the functions of `json` make one for each document.
_READER = json.JSONDecoder(parse_int=float)
_WRITER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
CHUNK = 50_000  # rows that are hashed at a time; another number would give other hashes


def receipt(told: Mapping[str, Any], tables: Mapping[Table, pa.Table]) -> dict[str, Any]:
    """The receipt of a publication: what is `told` of it, each table's rows and SHA-256, and the digest of all that."""
    measured = {
        table.name: {"rows": rows.num_rows, "sha256": content_hash(rows.to_batches(CHUNK))}
        for table, rows in tables.items()
    }
    return _signed({**told, "tables": measured})


def receipt_of(connection: Connection) -> dict[str, Any] | None:
    """The receipt of what a warehouse holds, all of it read anew; None where nothing was published."""
    row = connection.execute(select(publication)).mappings().one_or_none()
    if row is None:
        return None
    told = {name: row[name] for name in row if name not in ("number", "digest")} | {"as_of": row["as_of"].isoformat()}
    measured = {}
    for table in PUBLISHED:
        batches = _Counted(_stored(connection, table))
        measured[table.name] = {"sha256": content_hash(batches), "rows": batches.rows}
    return _signed({**told, "tables": measured})


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """A sentence for each respect in which a warehouse isn't what its receipt says."""
    said = [name for name in expected if name not in ("tables", "digest")]
    told = [f"{name} is {found[name]}, not {expected[name]}" for name in said if expected[name] != found[name]]
    for name, of in expected["tables"].items():
        rows = found["tables"][name]["rows"]
        if rows != of["rows"]:
            told.append(f"{name} has {rows:,} rows, not {of['rows']:,}")
        elif found["tables"][name]["sha256"] != of["sha256"]:
            told.append(f"{name} has other contents: its SHA-256 is not the receipt's")
    return told


def content_hash(batches: Iterable[pa.RecordBatch]) -> str:
    """SHA-256 over values, not over how they are stored; rows in the order of their key, CHUNK a batch."""
    total = hashlib.sha256()
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            total.update(f"{name}:{column.type}:{len(column)}\n".encode())
            for part in _plain(column):
                total.update(part)
    return total.hexdigest()


def _plain(column: pa.Array) -> Iterator[bytes | pa.Buffer]:
    """Which values are there, then the values themselves, those of unknown ones empty."""
    yield column.is_valid().to_numpy(zero_copy_only=False).tobytes()
    if pa.types.is_string(column.type):
        texts = column.fill_null("")
        yield pc.binary_length(texts).to_numpy().tobytes()
        yield pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")[0].as_buffer()
    elif pa.types.is_date(column.type):
        yield column.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False).tobytes()
    elif pa.types.is_boolean(column.type):
        yield column.fill_null(False).to_numpy(zero_copy_only=False).tobytes()
    else:
        # -0.0 and 0.0 are one value, of two patterns: PostgreSQL keeps both, a comparison sees none.
        yield (column.fill_null(0).to_numpy(zero_copy_only=False) + 0).tobytes()


def _signed(told: dict[str, Any]) -> dict[str, Any]:
    canonical = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
    return {**told, "digest": hashlib.sha256(canonical).hexdigest()}


class _Counted:
    """Batches, and how many rows those had that were taken."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches, self.rows = batches, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _stored(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    schema = schema_of(table)
    # Texts in the order of their bytes, as Arrow sorts them, whatever a database's language.
    collation = "C" if connection.dialect.name == "postgresql" else "BINARY"
    order = [collate(key, collation) if isinstance(key.type, Text) else key for key in table.primary_key]
    documents = [place for place, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    columns = list(table.columns)
    for place in documents:
        columns[place] = _as_text(connection, columns[place])
    result = connection.execute(select(*columns).order_by(*order), execution_options={"yield_per": CHUNK})
    with tqdm(desc=table.name, unit=" rows", unit_scale=True, disable=None) as bar:
        for rows in result.partitions(CHUNK):
            values = [list(column) for column in zip(*rows, strict=True)]
            for place in documents:
                values[place] = [_canonical(text) for text in values[place]]
            yield pa.record_batch(values, schema=schema)
            bar.update(len(rows))


def _as_text(connection: Connection, column: Column) -> ColumnElement[str]:
    return cast(column, Text) if connection.dialect.name == "postgresql" else type_coerce(column, Text)


def _canonical(document: str) -> str:
    """A document's one text: sorted names, no blanks, and each number as a float, as contents.documents writes them."""
    return _WRITER.encode(_READER.decode(document))
