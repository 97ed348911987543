"""Points of interest that can be believed: those with coordinates that are numbers and in range."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei import lake
from homei.quality.parse import number, read_each
from homei.source import Column, Source

# Where a source declares no range of its own; metres on a plane have none.
EARTH = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}


class JudgedPlaces(NamedTuple):
    """Places that can be believed, those that can't with their `reasons`, and how many there are of each kind."""

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    counts: list[dict[str, Any]]


def judge_places(raw: pd.DataFrame, source: Source) -> JudgedPlaces:
    """Every raw place once, in raw order: with f64 coordinates among the valid, or as it came in quarantine."""
    coordinates = {axis: _coordinate(raw[axis], source) for axis in EARTH}
    found = [raw["source_fault"], *(reasons for _, reasons in coordinates.values())]
    reasons = np.array(["; ".join(filter(None, row)) for row in zip(*found, strict=True)], dtype=object)
    rejected = reasons != ""
    values = {axis: numbers[~rejected] for axis, (numbers, _) in coordinates.items()}
    valid = raw.loc[~rejected, ["kind", "name"]].fillna("").astype(lake.TEXT).assign(**values)
    quarantined = raw[rejected].drop(columns="source_fault").assign(reasons=reasons[rejected])
    all_of_kind, rejected_of_kind = raw["kind"].value_counts(), quarantined["kind"].value_counts()
    counts = [
        {"kind": kind, "rows": int(all_of_kind.get(kind, 0)), "rejected": int(rejected_of_kind.get(kind, 0))}
        for kind in source.place_kinds
    ]
    return JudgedPlaces(valid.reset_index(drop=True), quarantined.reset_index(drop=True), counts)


def _coordinate(cells: pd.Series, source: Source) -> tuple[np.ndarray, list[str]]:
    """A coordinate's values, and what is wrong with each: nothing as an empty text."""
    axis = str(cells.name)
    anywhere = EARTH[axis] if source.coordinates.system == "wgs84" else (-np.inf, np.inf)
    low, high = source.contract.ranges.get(axis, anywhere)
    column, missing = Column(column=axis), source.sales[0].missing
    values, broken = read_each(cells, lambda cell: number(cell, column), missing, np.float64)
    wrong = [broken, np.isnan(values), (values < low) | (values > high)]
    words = [f"{axis}: not a number", f"{axis}: missing", f"{axis}: outside [{low:g}, {high:g}]"]
    return values, np.select(wrong, words, "").tolist()
