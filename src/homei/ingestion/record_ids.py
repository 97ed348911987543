"""Ids of records whose feed has none: hashes of their content, independent of the order of rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from homei.config.columns import Column
from homei.config.texts import normal_text

ID_BYTES = 8
_BETWEEN_CELLS, _AFTER_NAME = "\x1f", "\x1e"


def content_ids(rows: pa.Table, declared: Mapping[str, Column], counts: Counter[str]) -> pa.Array:
    """An id for each row out of its mapped cells; the repeats of a row are numbered: "3f0a…", "3f0a…-2".

    Cells of a lookup file are no part of the record. `counts` has the ids of the feed's rows so far, and is updated.
    """
    names = sorted(name for name, column in declared.items() if column.lookup is None)
    cells = [pc.binary_join_element_wise(f"{name}{_AFTER_NAME}", rows[name], "") for name in names]
    is_empty = reduce(pc.and_, map(pc.is_null, cells))
    # Arrow leaves out a row whose cells are all null, so that the others would move up.
    cells[0] = pc.if_else(is_empty, "", cells[0])
    contents = pc.binary_join_element_wise(*cells, _BETWEEN_CELLS, null_handling="skip")
    return pa.array([_numbered(_hash(content), counts) for content in contents.to_pylist()], pa.string())


def _hash(content: str) -> str:
    cells = (
        _AFTER_NAME.join(map(normal_text, cell.split(_AFTER_NAME, maxsplit=1)))
        for cell in content.split(_BETWEEN_CELLS)
    )
    return hashlib.blake2b(_BETWEEN_CELLS.join(cells).encode(), digest_size=ID_BYTES).hexdigest()


def _numbered(content_hash: str, counts: Counter[str]) -> str:
    counts[content_hash] += 1
    return content_hash if counts[content_hash] == 1 else f"{content_hash}-{counts[content_hash]}"
