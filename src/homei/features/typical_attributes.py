"""Typical attributes of properties, which replace missing ones in the search for comparable sales."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from homei.features.pool_statistics import COMPARED, PoolStatistics

NO_ROWS = np.empty(0, dtype=np.int64)


class TypicalAttributes:
    """Medians of COMPARED among the sales of a pool in the `months` months before a month.

    `pool` has its columns in order of month, `attributes` the values of COMPARED and `codes` the codes of types.
    """

    def __init__(
        self,
        pool: Mapping[str, np.ndarray],
        attributes: np.ndarray,
        codes: np.ndarray,
        statistics: PoolStatistics,
        months: int,
    ) -> None:
        self._pool = pool
        self._attributes = attributes
        self._codes = codes
        self._statistics = statistics
        self._types = {name: code for code, name in enumerate(statistics.types)}
        self._months = months

    def attributes(self, month: int, property_type: str, location: str | None) -> np.ndarray | None:
        """Median attributes of a type's sales in a location; of the pool, without position, if none.

        None if the pool has no sales of the type.
        """
        typical = self.of_location(month, property_type, location)
        return self.of_type(month, property_type) if typical is None else typical

    def of_location(self, month: int, property_type: str, location: str | None) -> np.ndarray | None:
        """Median attributes of a type's sales in a location; None without sales."""
        code = self._types[property_type]
        rows = self._usable_sales(self._rows_of_place.get((code, location), NO_ROWS), month, code)
        return np.median(self._attributes[rows], axis=0) if rows.size else None

    def of_type(self, month: int, property_type: str) -> np.ndarray | None:
        """Median attributes of all sales of a type, without position; None without sales."""
        code = self._types[property_type]
        rows = self._usable_sales(np.flatnonzero(self._codes == code), month, code)
        if not rows.size:
            return None
        return np.where(np.arange(len(COMPARED)) < 2, np.nan, np.median(self._attributes[rows], axis=0))

    @cached_property
    def _rows_of_place(self) -> dict[tuple[int, str | None], np.ndarray]:
        """The rows of each type's sales in a location, by code and location."""
        codes, names = pd.factorize(self._pool["location"])
        rows = pd.DataFrame({"type": self._codes, "location": codes}).groupby(["type", "location"], sort=False).indices
        return {(code, names[place] if place >= 0 else None): chosen for (code, place), chosen in rows.items()}

    def _usable_sales(self, rows: np.ndarray, month: int, code: int) -> np.ndarray:
        """Those of the rows, of one type and in order of month, that can be comparables in a month."""
        first, end = np.searchsorted(self._pool["month"][rows], [month - self._months, month])
        rows, compared = rows[first:end], self._statistics.compared(month, self._months)
        is_known = np.isfinite(self._attributes[rows]) | ~compared[code]
        return rows[np.isfinite(self._pool["u"][rows]) & is_known.all(axis=1)]
