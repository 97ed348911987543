"""Statistics of the whole pool of sales, for searches for comparables in a part of the pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

COMPARED = ("x", "y", "floor", "log_area", "year_built")
KNOWN = [f"known_{name}" for name in COMPARED]
MIN_KNOWN_SHARE = 0.5  # an attribute is compared if at least this share of a type's sales has it

# The month and the type of a property, and its location.
TypicalKey = tuple[int, str, str | None]


@dataclass(frozen=True, eq=False)
class PoolStatistics:
    """Property types of the pool, their unit of price, and by month the attributes that are compared.

    `typical` holds the attributes that replace missing ones; None if they are derived from the searched pool itself.
    """

    types: list[str]  # sorted; the position is a type's code
    whole_price_codes: np.ndarray  # codes of types whose unit is the whole price
    first_month: int
    totals: np.ndarray  # usable sales before each month: months × types × (1 + COMPARED), cumulative
    typical: Mapping[TypicalKey, np.ndarray] | None = None

    @property
    def n_usable(self) -> int:
        """How many sales of the pool have a type and a price level."""
        return int(self.totals[-1:, :, 0].sum())

    @classmethod
    def of_counts(cls, counts: pd.DataFrame) -> PoolStatistics:
        """From one row per month and property_type.

        `usable` counts the sales that have a price level; KNOWN those of them with each attribute; `whole` those of
        them without an area.
        """
        counts = counts.dropna(subset="property_type")
        types = sorted(counts["property_type"].unique())
        codes = pd.Index(types).get_indexer(counts["property_type"])
        first = int(counts["month"].min()) if len(counts) else 0
        months = counts["month"].to_numpy("int64") - first
        by_month = np.zeros((int(months.max(initial=-1)) + 1, len(types), 1 + len(COMPARED)), dtype="int64")
        np.add.at(by_month, (months, codes), counts[["usable", *KNOWN]].to_numpy("int64"))
        totals = np.concatenate([np.zeros_like(by_month[:1]), by_month.cumsum(axis=0)]) if len(counts) else by_month
        # Only a type whose unit is the whole price has levels of sales without an area.
        whole = np.unique(codes[counts["whole"].to_numpy("int64") > 0])
        return cls(types, whole, first, totals)

    def compared(self, month: int, window: int) -> np.ndarray | None:
        """Types × COMPARED: whether enough sales of the type in the `window` months before have the attribute.

        None if there are no usable sales in these months.
        """
        if not len(self.totals):
            return None
        end, start = (int(np.clip(m - self.first_month, 0, len(self.totals) - 1)) for m in (month, month - window))
        counts = self.totals[end] - self.totals[start]
        if not counts[:, 0].any():
            return None
        compared = counts[:, 1:] >= MIN_KNOWN_SHARE * np.maximum(counts[:, :1], 1)
        compared[self.whole_price_codes, COMPARED.index("log_area")] = False
        return compared


def count_pool(months: np.ndarray, types: np.ndarray, u: np.ndarray, attributes: np.ndarray) -> pd.DataFrame:
    """The counts of `PoolStatistics.of_counts` of a pool in memory."""
    is_usable = np.isfinite(u)
    is_known = np.isfinite(attributes) & is_usable[:, None]
    is_whole = is_usable & ~is_known[:, COMPARED.index("log_area")]
    columns: Iterable[np.ndarray] = (is_usable, *is_known.T, is_whole)
    frame = pd.DataFrame(dict(zip(["usable", *KNOWN, "whole"], columns, strict=True)))
    keys = [pd.Series(months, name="month"), pd.Series(types, name="property_type", dtype=object)]
    return frame.groupby(keys, sort=False).sum().reset_index()
