"""The receipt of a publication: versions, and the rows and a content hash of each table.

Warehouses with the same contents give the same bytes, whatever the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import JSON, Connection, Table, Text, cast, select, type_coerce
from tqdm import tqdm

from homei.storage.row_digest import ContentSum, content_sum, total
from homei.warehouse.published_files import PublishedRows
from homei.warehouse.published_rows import arrow_schema
from homei.warehouse.tables import PUBLISHED, publication

RECEIPT = Path("reports/publish/receipt.json")
BATCH = 50_000  # rows that are read and hashed at a time
# Built once, because json.loads and json.dumps build one for each document.
_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def new_receipt(description: Mapping[str, Any], tables: Mapping[Table, PublishedRows]) -> dict[str, Any]:
    """The receipt for rows to be published, with a digest of all.

    It has the description, rows and hash of each table.
    """
    summaries = {table.name: content_summary(total(rows.sums.values())) for table, rows in tables.items()}
    return _with_digest({**description, "tables": summaries})


def stored_receipt(connection: Connection) -> dict[str, Any] | None:
    """The receipt for the rows that a warehouse holds, all of them read again; None without a publication."""
    row = connection.execute(select(publication)).mappings().one_or_none()
    if row is None:
        return None
    description = {name: value for name, value in row.items() if name not in ("number", "digest")}
    description["as_of"] = row["as_of"].isoformat()
    summaries = {table.name: content_summary(content_sum(_stored_batches(connection, table))) for table in PUBLISHED}
    return _with_digest({**description, "tables": summaries})


def receipt_differences(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """A sentence for each difference between a warehouse and its receipt."""
    names = [name for name in expected if name not in ("tables", "digest") and expected[name] != stored[name]]
    differences = [f"{name} is {stored[name]}, not {expected[name]}" for name in names]
    for name, summary in expected["tables"].items():
        n_rows = stored["tables"][name]["rows"]
        if n_rows != summary["rows"]:
            differences.append(f"{name} has {n_rows:,} rows, not {summary['rows']:,}")
        elif stored["tables"][name] != summary:
            differences.append(f"{name} has other contents: its digest is not the receipt's")
    return differences


def content_summary(content: ContentSum) -> dict[str, Any]:
    """The number of rows, and a hash that does not depend on their order."""
    return {"rows": content.rows, "digest": content.digest()}


def _with_digest(receipt: dict[str, Any]) -> dict[str, Any]:
    canonical = json.dumps(receipt, sort_keys=True, ensure_ascii=False).encode()
    return {**receipt, "digest": hashlib.sha256(canonical).hexdigest()}


def _stored_batches(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(table)
    documents = [place for place, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    as_text = cast if connection.dialect.name == "postgresql" else type_coerce
    columns = [as_text(column, Text) if isinstance(column.type, JSON) else column for column in table.columns]
    result = connection.execute(select(*columns), execution_options={"yield_per": BATCH})
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
