"""Validation of points of interest: coordinates must be numbers in the city's area."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.columns import Column
from homei.config.feeds import Source
from homei.config.projection import Coordinates
from homei.storage import lake
from homei.validation.coordinates import AXES, locate
from homei.validation.numbers import number, number_fault
from homei.validation.parsing import Reader, read_each


class ValidatedPlaces(NamedTuple):
    """Valid places, rejected ones with their `reasons`, and the number of each kind."""

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    counts: list[dict[str, Any]]


def validate_places(raw: pd.DataFrame, source: Source) -> ValidatedPlaces:
    """Each raw place once, in raw order: valid with float coordinates, or rejected as it was."""
    read = {axis: _read(raw[axis], source) for axis in AXES}
    values = {axis: numbers for axis, (numbers, _) in read.items()}
    faults = {axis: of_cells for axis, (_, of_cells) in read.items()}
    for rows, coordinates in _systems(raw, source):
        located = locate(*(values[axis][rows] for axis in AXES), coordinates, source.contract.ranges)
        for axis in AXES:
            values[axis][rows] = getattr(located, axis)
            faults[axis] |= {int(rows[row]): fault for row, fault in located.faults[axis].items()}
    columns = [raw["source_fault"], *(_reasons(axis, values[axis], faults[axis]) for axis in AXES)]
    reasons = np.array(["; ".join(filter(None, row)) for row in zip(*columns, strict=True)], dtype=object)
    is_rejected = reasons != ""
    valid = raw.loc[~is_rejected, ["kind", "name"]].fillna("").astype(lake.TEXT)
    valid = valid.assign(**{axis: numbers[~is_rejected] for axis, numbers in values.items()})
    quarantined = raw[is_rejected].drop(columns="source_fault").assign(reasons=reasons[is_rejected])
    n_raw, n_rejected = raw["kind"].value_counts(), quarantined["kind"].value_counts()
    counts = [
        {"kind": kind, "rows": int(n_raw.get(kind, 0)), "rejected": int(n_rejected.get(kind, 0))}
        for kind in source.city.place_kinds
    ]
    return ValidatedPlaces(valid.reset_index(drop=True), quarantined.reset_index(drop=True), counts)


def _read(cells: pd.Series, source: Source) -> tuple[np.ndarray, dict[int, str]]:
    column = Column(column=str(cells.name))
    reader = Reader(lambda cell: number(cell, column), lambda cell: number_fault(cell, column))
    return read_each(cells, reader, source.feeds.sales[0].missing, np.float64)


def _systems(raw: pd.DataFrame, source: Source) -> list[tuple[np.ndarray, Coordinates]]:
    """The rows of each file with the system of its coordinates."""
    city = source.city.coordinates
    files = {places.file: places.system or city.system for places in source.feeds.places}
    return [
        (np.flatnonzero((raw["source_file"] == file).to_numpy(bool)), city.model_copy(update={"system": system}))
        for file, system in files.items()
    ]


def _reasons(axis: str, values: np.ndarray, faults: dict[int, str]) -> list[str]:
    """Why each value of a coordinate is rejected; empty for a valid one."""
    reasons = np.where(np.isnan(values), f"{axis}: missing", "").astype(object)
    for row, fault in faults.items():
        reasons[row] = f"{axis}: {fault}"
    return reasons.tolist()
