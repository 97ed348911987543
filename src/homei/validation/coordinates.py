"""Coordinates of any system as degrees or metres, and the implausible ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from homei.config.model import Range
from homei.config.projection import Coordinates, area_of

AXES = ("latitude", "longitude")
NOWHERE = "0, 0 is no location"


class Located(NamedTuple):
    """Coordinates in the lake's system, NaN where unknown or implausible, and the reasons by axis and row."""

    latitude: np.ndarray
    longitude: np.ndarray
    faults: dict[str, dict[int, str]]


def locate(
    latitude: np.ndarray, longitude: np.ndarray, coordinates: Coordinates, ranges: Mapping[str, Range]
) -> Located:
    """Converts coordinates to degrees, a plane's excepted; those outside the city's area have a fault.

    `ranges` are those of the contract, which come before the area around the city's centre.
    """
    declared = {axis: ranges[axis] for axis in AXES if axis in ranges}
    area = dict.fromkeys(AXES, (-np.inf, np.inf)) | area_of(coordinates) | declared
    is_nowhere = (latitude == 0) & (longitude == 0)
    values = dict(zip(AXES, _converted(latitude, longitude, coordinates), strict=True))
    exchanged = dict(zip(AXES, _converted(longitude, latitude, coordinates), strict=True))
    is_outside = {axis: (values[axis] < area[axis][0]) | (values[axis] > area[axis][1]) for axis in AXES}
    is_swapped = (is_outside["latitude"] | is_outside["longitude"]) & ~is_nowhere
    for axis in AXES:
        is_swapped &= (exchanged[axis] >= area[axis][0]) & (exchanged[axis] <= area[axis][1])
    faults: dict[str, dict[int, str]] = {}
    for axis, other in zip(AXES, reversed(AXES), strict=True):
        low, high = area[axis]
        reasons = {f"outside [{low:.10g}, {high:.10g}]": is_outside[axis], f"swapped with {other}": is_swapped}
        of_rows: dict[int, str] = {}
        for reason, is_wrong in {**reasons, NOWHERE: is_nowhere}.items():
            of_rows |= dict.fromkeys(np.flatnonzero(is_wrong).tolist(), reason)
        values[axis] = np.where(is_outside[axis] | is_swapped | is_nowhere, np.nan, values[axis])
        faults[axis] = of_rows
    return Located(values["latitude"], values["longitude"], faults)


def _converted(latitude: np.ndarray, longitude: np.ndarray, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    if not coordinates.system.startswith("EPSG:"):
        return latitude, longitude
    from pyproj import Transformer

    transformer = Transformer.from_crs(coordinates.system, "EPSG:4326", always_xy=True)
    is_known = ~np.isnan(latitude) & ~np.isnan(longitude)
    y, x = np.full((2, len(latitude)), np.nan)
    x[is_known], y[is_known] = transformer.transform(longitude[is_known], latitude[is_known])
    # Seven decimals are a centimetre; the last bits differ between versions of PROJ.
    return np.round(y, 7), np.round(x, 7)
