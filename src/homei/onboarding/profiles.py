"""Profile of a column: its distinct texts with their counts, as the project's own readers give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Reading = tuple[dict[str, Any], np.ndarray]  # options of a column, and the values of its cells under them
DISTINCT_TESTED = 1_500  # distinct values that a guess tests, the most frequent first


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """The distinct values of a column, stripped, the most frequent first; empty cells are not among them."""

    name: str
    values: list[str]
    counts: np.ndarray
    n_rows: int

    @property
    def n_filled(self) -> int:
        return int(self.counts.sum())

    @property
    def coverage(self) -> float:
        return self.n_filled / self.n_rows if self.n_rows else 0.0

    @property
    def n_distinct(self) -> int:
        return len(self.values)

    @cached_property
    def tested(self) -> ColumnProfile:
        """The profile of some of the values, spread over all of them, that is quick to test."""
        if self.n_distinct <= DISTINCT_TESTED:
            return self
        chosen = np.linspace(0, self.n_distinct - 1, DISTINCT_TESTED).astype(int)
        return ColumnProfile(self.name, [self.values[i] for i in chosen], self.counts[chosen], self.n_rows)

    def share(self, is_so: Callable[[str], Any]) -> float:
        """The share of the filled cells for which `is_so` is true."""
        part = self.tested
        return float(part.counts[[bool(is_so(value)) for value in part.values]].sum() / max(part.n_filled, 1))

    def without(self, codes: list[str]) -> ColumnProfile:
        """The profile without the cells that hold one of the codes, in any case."""
        folded = {code.casefold() for code in codes}
        positions = [position for position, value in enumerate(self.values) if value.casefold() not in folded]
        return ColumnProfile(self.name, [self.values[i] for i in positions], self.counts[positions], self.n_rows)

    def examples(self, n: int = 2) -> list[str]:
        return self.values[:n]


def best_readings(
    column: ColumnProfile, readings: Sequence[Reading], is_unread: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, list[Reading]]:
    """The largest share of cells that any of the readings covers, and the readings that cover it."""
    shares = [float(column.counts[~is_unread(values)].sum()) / column.n_filled for _, values in readings]
    best = max(shares, default=0.0)
    return best, [reading for reading, share in zip(readings, shares, strict=True) if share >= best - 1e-12]


def profile(name: str, cells: pa.ChunkedArray | pa.Array) -> ColumnProfile:
    """The profile of a column of texts."""
    stripped = pc.utf8_trim_whitespace(cells)
    filled = stripped.filter(pc.and_(pc.is_valid(stripped), pc.not_equal(stripped, "")))
    counted = pc.value_counts(filled)
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy(zero_copy_only=False)
    order = np.argsort(-counts, kind="stable")
    return ColumnProfile(name, [values[i] for i in order], counts[order], len(cells))
