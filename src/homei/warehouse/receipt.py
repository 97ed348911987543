"""The receipt of a publication: versions, and the rows and a content hash of each table.

Warehouses with the same contents give the same bytes, whatever the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import JSON, Connection, Table, Text, cast, collate, select, type_coerce
from tqdm import tqdm

from homei.warehouse.published_rows import arrow_schema
from homei.warehouse.tables import PUBLISHED, publication

RECEIPT = Path("reports/publish/receipt.json")
BATCH = 50_000  # rows that are hashed at a time; another number would give other hashes
# Built once, because json.loads and json.dumps build one for each document.
_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def new_receipt(description: Mapping[str, Any], tables: Mapping[Table, pa.Table]) -> dict[str, Any]:
    """The receipt for rows to be published: the description, rows and SHA-256 of each table, and a digest."""
    summaries = {table.name: content_summary(rows.to_batches(BATCH)) for table, rows in tables.items()}
    return _with_digest({**description, "tables": summaries})


def stored_receipt(connection: Connection) -> dict[str, Any] | None:
    """The receipt for the rows that a warehouse holds, all of them read again; None without a publication."""
    row = connection.execute(select(publication)).mappings().one_or_none()
    if row is None:
        return None
    description = {name: value for name, value in row.items() if name not in ("number", "digest")}
    description["as_of"] = row["as_of"].isoformat()
    summaries = {table.name: content_summary(_stored_batches(connection, table)) for table in PUBLISHED}
    return _with_digest({**description, "tables": summaries})


def receipt_differences(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """A sentence for each difference between a warehouse and its receipt."""
    names = [name for name in expected if name not in ("tables", "digest") and expected[name] != stored[name]]
    differences = [f"{name} is {stored[name]}, not {expected[name]}" for name in names]
    for name, summary in expected["tables"].items():
        n_rows = stored["tables"][name]["rows"]
        if n_rows != summary["rows"]:
            differences.append(f"{name} has {n_rows:,} rows, not {summary['rows']:,}")
        elif stored["tables"][name]["sha256"] != summary["sha256"]:
            differences.append(f"{name} has other contents: its SHA-256 is not the receipt's")
    return differences


def content_summary(batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
    """The number of rows, and SHA-256 over their values, in the order of their key, BATCH at a time."""
    n_rows, digest = 0, hashlib.sha256()
    for batch in batches:
        n_rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            digest.update(f"{name}:{column.type}:{len(column)}\n".encode())
            for part in _value_bytes(column):
                digest.update(part)
    return {"rows": n_rows, "sha256": digest.hexdigest()}


def _value_bytes(column: pa.Array) -> Iterator[bytes | pa.Buffer]:
    """The validity of each value, then the values; null counts as an empty text, 0 or false."""
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
        # Adding 0 turns -0.0 into 0.0: they are equal, so a merge keeps whichever the database has.
        yield (column.fill_null(0).to_numpy(zero_copy_only=False) + 0).tobytes()


def _with_digest(receipt: dict[str, Any]) -> dict[str, Any]:
    canonical = json.dumps(receipt, sort_keys=True, ensure_ascii=False).encode()
    return {**receipt, "digest": hashlib.sha256(canonical).hexdigest()}


def _stored_batches(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(table)
    # Texts in the order of their bytes, as Arrow sorts them, whatever the database's locale.
    collation = "C" if connection.dialect.name == "postgresql" else "BINARY"
    order = [collate(key, collation) if isinstance(key.type, Text) else key for key in table.primary_key]
    documents = [place for place, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    as_text = cast if connection.dialect.name == "postgresql" else type_coerce
    columns = [as_text(column, Text) if isinstance(column.type, JSON) else column for column in table.columns]
    result = connection.execute(select(*columns).order_by(*order), execution_options={"yield_per": BATCH})
    with tqdm(desc=table.name, unit=" rows", unit_scale=True, disable=None) as bar:
        for rows in result.partitions(BATCH):
            values = [list(column) for column in zip(*rows, strict=True)]
            for place in documents:
                values[place] = [_canonical(text) for text in values[place]]
            yield pa.record_batch(values, schema=schema)
            bar.update(len(rows))


def _canonical(document: str) -> str:
    """A document's text as json_documents writes it: sorted names, no blanks, numbers as floats."""
    return _ENCODER.encode(_DECODER.decode(document))
