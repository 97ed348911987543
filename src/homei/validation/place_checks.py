"""Validation of points of interest: coordinates must be numbers in range."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.feeds import Column, Source
from homei.storage import lake
from homei.validation.parsing import number, read_each

# The ranges of degrees, unless the contract has others; metres on a plane have none.
DEGREES = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}


class ValidatedPlaces(NamedTuple):
    """Valid places, rejected ones with their `reasons`, and the number of each kind."""

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    counts: list[dict[str, Any]]


def validate_places(raw: pd.DataFrame, source: Source) -> ValidatedPlaces:
    """Each raw place once, in raw order: valid with float coordinates, or rejected as it was."""
    coordinates = {axis: _coordinate(raw[axis], source) for axis in DEGREES}
    columns = [raw["source_fault"], *(reasons for _, reasons in coordinates.values())]
    reasons = np.array(["; ".join(filter(None, row)) for row in zip(*columns, strict=True)], dtype=object)
    is_rejected = reasons != ""
    values = {axis: numbers[~is_rejected] for axis, (numbers, _) in coordinates.items()}
    valid = raw.loc[~is_rejected, ["kind", "name"]].fillna("").astype(lake.TEXT).assign(**values)
    quarantined = raw[is_rejected].drop(columns="source_fault").assign(reasons=reasons[is_rejected])
    n_raw, n_rejected = raw["kind"].value_counts(), quarantined["kind"].value_counts()
    counts = [
        {"kind": kind, "rows": int(n_raw.get(kind, 0)), "rejected": int(n_rejected.get(kind, 0))}
        for kind in source.city.place_kinds
    ]
    return ValidatedPlaces(valid.reset_index(drop=True), quarantined.reset_index(drop=True), counts)


def _coordinate(cells: pd.Series, source: Source) -> tuple[np.ndarray, list[str]]:
    """A coordinate's values, and the reason to reject each one, empty for a valid one."""
    axis = str(cells.name)
    limits = DEGREES[axis] if source.city.coordinates.system == "wgs84" else (-np.inf, np.inf)
    low, high = source.contract.ranges.get(axis, limits)
    column, missing = Column(column=axis), source.feeds.sales[0].missing
    values, is_unreadable = read_each(cells, lambda cell: number(cell, column), missing, np.float64)
    is_wrong = [is_unreadable, np.isnan(values), (values < low) | (values > high)]
    reasons = [f"{axis}: not a number", f"{axis}: missing", f"{axis}: outside [{low:g}, {high:g}]"]
    return values, np.select(is_wrong, reasons, "").tolist()
