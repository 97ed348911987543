"""The rows of a file or of a part of it, as text."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from homei.ingestion.connectors.file_readers import Part
from homei.ingestion.connectors.text_rows import Batch, is_number, texts
from homei.storage.input_files import InputFile


@dataclass(frozen=True)
class Sheet:
    """The rows of one file or of one part of it: `cells` as text (null if empty) and `lines` from 1.

    `faults` say why a row can't be read, null for most. `part` is empty for a whole file, "#title" for one of several
    sheets of a workbook and "/name" for a file in a zip; `name` ends with it. `number_masks` mark the cells that were
    typed as numbers, by column: a declared decimal comma does not apply to them. `repeated` are the names that several
    columns have, which are numbered in `cells`: "Price (1)", "Price (2)". Serial dates count from the start
    of `first_year`.
    """

    name: str
    part: str
    cells: pa.Table
    lines: np.ndarray
    faults: pa.ChunkedArray
    number_masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    first_year: int = 1900


def as_sheet(path: Path | InputFile, part: Part) -> Sheet:
    """The rows of a part of a file as text, without blank rows."""
    header = _numbered_names(part.header)
    empty = Batch(np.array([], dtype=np.int64), ((),) * len(header))
    converted = [_without_blank_rows(batch) for batch in itertools.chain([empty], part.rows)]
    lines, faults, columns, masks = zip(*converted, strict=True)
    cells = {name: pa.chunked_array(chunks, pa.string()) for name, *chunks in zip(header, *columns, strict=True)}
    number_masks = {name: np.concatenate(chunks) for name, *chunks in zip(header, *masks, strict=True)}
    return Sheet(
        path.name + part.name,
        part.name,
        pa.table(cells),
        np.concatenate(lines),
        pa.chunked_array(faults, pa.string()),
        {name: mask for name, mask in number_masks.items() if mask.any()},
        frozenset(name for name, count in Counter(part.header).items() if name and count > 1),
        part.first_year,
    )


def _numbered_names(header: list[str]) -> list[str]:
    """The names of columns, of which those of several columns are numbered: "Price (1)", "Price (2)"."""
    counts, seen, names = Counter(header), Counter(), []
    for name in header:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if name and counts[name] > 1 else name)
    return names


def _without_blank_rows(batch: Batch) -> tuple[np.ndarray, pa.Array, list[pa.Array], list[np.ndarray]]:
    """The lines, faults, text columns and masks of numbers of a batch."""
    faults = pa.array(batch.faults or [None] * len(batch.lines), pa.string())
    columns = [texts(column) for column in batch.columns]
    masks = [is_number(column) for column in batch.columns]
    is_filled = faults.is_valid().to_numpy(zero_copy_only=False)
    for column in columns:
        is_filled = is_filled | column.is_valid().to_numpy(zero_copy_only=False)
    filled = pa.array(is_filled)
    return (
        batch.lines[is_filled],
        faults.filter(filled),
        [column.filter(filled) for column in columns],
        [mask[is_filled] for mask in masks],
    )
