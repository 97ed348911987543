"""Ids of records whose feed has none: hashes of their content, independent of the order of rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import pyarrow as pa

from homei.config.columns import Column
from homei.config.texts import normal_text

ID_BYTES = 8
_BETWEEN_CELLS, _AFTER_NAME = "\x1f", "\x1e"


def content_ids(rows: pa.Table, declared: Mapping[str, Column], counts: Counter[str]) -> pa.Array:
    """An id for each row out of its mapped cells; the repeats of a row are numbered: "3f0a…", "3f0a…-2".

    Cells of a lookup file are no part of the record. `counts` has the ids of the feed's rows so far, and is updated.
    """
    return pa.array([_numbered(content, counts) for content in content_hashes(rows, declared)], pa.string())


def content_hashes(rows: pa.Table, declared: Mapping[str, Column]) -> list[str]:
    """A hash of each row's mapped cells, which is the id of the first row with this content."""
    names = sorted(name for name, column in declared.items() if column.lookup is None)
    records = zip(*(rows[name].to_pylist() for name in names), strict=True)
    return [_hash(zip(names, cells, strict=True)) for cells in records]


def _hash(cells: Iterable[tuple[str, str | None]]) -> str:
    content = _BETWEEN_CELLS.join(f"{name}{_AFTER_NAME}{normal_text(cell)}" for name, cell in cells if cell is not None)
    return hashlib.blake2b(content.encode(), digest_size=ID_BYTES).hexdigest()


def _numbered(content_hash: str, counts: Counter[str]) -> str:
    counts[content_hash] += 1
    return content_hash if counts[content_hash] == 1 else f"{content_hash}-{counts[content_hash]}"
