"""Guess of the coordinate system: degrees, or a projected system that the user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from homei.onboarding.draft import Answers, FeedDraft, Guess, OnboardingError, Question
from homei.onboarding.input_tables import InputTable
from homei.onboarding.number_notation import weighted_quantile

# Projected systems by the ranges of their coordinates, in their unit: easting, northing.
SYSTEMS = {
    "EPSG:27700": ((0, 700_000), (0, 1_300_000)),  # British National Grid
    "EPSG:2154": ((100_000, 1_250_000), (6_000_000, 7_200_000)),  # Lambert-93, France
    "EPSG:28992": ((0, 290_000), (300_000, 630_000)),  # RD New, Netherlands
    "EPSG:25832": ((250_000, 930_000), (5_200_000, 6_200_000)),  # ETRS89 / UTM 32N
    "EPSG:25833": ((250_000, 930_000), (5_200_000, 6_200_000)),  # ETRS89 / UTM 33N
    "EPSG:2180": ((170_000, 870_000), (130_000, 780_000)),  # PL-1992, Poland
    "EPSG:2056": ((2_480_000, 2_840_000), (1_070_000, 1_300_000)),  # LV95, Switzerland
    "EPSG:3414": ((0, 55_000), (15_000, 55_000)),  # SVY21, Singapore
}  # fmt: skip
AXES = ("latitude", "longitude")
Pairs = Sequence[tuple[FeedDraft, InputTable]]
Numbers = Callable[[FeedDraft, InputTable, str], tuple[np.ndarray, np.ndarray]]


def guess_coordinates(pairs: Pairs, numbers_of: Numbers, answers: Answers) -> tuple[Guess, list[Question]]:
    """The city's coordinate system and centre; swapped columns of degrees are put right in the feeds.

    A column that has no partner is removed from its feed.
    """
    for feed, _ in pairs:
        if len({*AXES} & feed.columns.keys()) == 1:
            for axis in AXES:
                feed.columns.pop(axis, None)
    answer = answers.get("coordinates.system")
    centres = [_centre(feed, table, numbers_of) for feed, table in pairs if "latitude" in feed.columns]
    centres = [centre for centre in centres if centre is not None]
    if not centres:
        return _without_centre(pairs, answer)
    latitude, longitude = (round(float(np.median(axis)), 3) for axis in zip(*centres, strict=True))
    if answer is None and abs(latitude) <= 90 and abs(longitude) <= 180:
        value = {"system": "wgs84", "origin": [latitude, longitude]}
        return Guess("coordinates", value, "degrees; origin is the median of the sales"), []
    if answer is None:
        fitting = [
            system for system, (east, north) in SYSTEMS.items()
            if east[0] <= longitude <= east[1] and north[0] <= latitude <= north[1]
        ]  # fmt: skip
        text = f"coordinates such as y = {latitude:g}, x = {longitude:g} are no degrees: in which system are they?"
        if not fitting:
            text += " Give its EPSG code, or `plane` for metres or feet in a system of its own"
        return Guess("coordinates", {}), [Question("coordinates.system", text, (*fitting[:4], "plane"))]
    if answer in ("wgs84", "plane"):
        unit = {"unit": unit_answer} if (unit_answer := answers.get("coordinates.unit")) else {}
        if answer == "plane" and not unit:
            question = Question("coordinates.unit", "are the coordinates metres or feet?", ("metres", "feet"))
            return Guess("coordinates", {}), [question]
        origin = [latitude, longitude] if answer == "wgs84" else [0.0, 0.0]
        return Guess("coordinates", {"system": answer, "origin": origin, **unit}, "as given"), []
    return Guess("coordinates", {"system": answer, "origin": _degrees(answer, latitude, longitude)}, "as given"), []


def _without_centre(pairs: Pairs, answer: str | None) -> tuple[Guess, list[Question]]:
    """No coordinates in the sales: those of a lookup file, or none at all."""
    for feed, _ in pairs:
        if "latitude" in feed.columns:
            origin = [
                round(float(np.median([float(each) for each in feed.columns[axis].examples])), 3) for axis in AXES
            ]
            reason = f"degrees, as in {feed.lookup['file'] if feed.lookup else 'the feed'}"
            return Guess("coordinates", {"system": answer or "wgs84", "origin": origin}, reason), []
    return Guess("coordinates", {}, "none: neither distances nor comparable sales nearby"), []


def _centre(feed: FeedDraft, table: InputTable, numbers_of: Numbers) -> tuple[float, float] | None:
    """The median latitude (y) and longitude (x); columns that must be swapped are swapped."""
    medians = []
    for axis in AXES:
        values, counts = numbers_of(feed, table, axis)
        is_known = values != 0
        if not is_known.any():
            return None
        medians.append(weighted_quantile(values[is_known], counts[is_known], 0.5))
    latitude, longitude = medians
    if 90 < abs(latitude) <= 180 and abs(longitude) <= 90:
        doubt = "the columns were the other way round by their names"
        swapped: dict[str, Any] = {"latitude": feed.columns["longitude"], "longitude": feed.columns["latitude"]}
        feed.columns |= {axis: guess._replace(key=axis, doubt=doubt) for axis, guess in swapped.items()}
        return longitude, latitude
    return latitude, longitude


def _degrees(system: str, y: float, x: float) -> list[float]:
    """The latitude and longitude of a point in a projected system."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        longitude, latitude = Transformer.from_crs(system, "EPSG:4326", always_xy=True).transform(x, y)
    except ProjError as error:
        raise OnboardingError(f"coordinates.system = {system}: is no system that pyproj knows") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise OnboardingError(f"coordinates.system = {system}: y = {y:g}, x = {x:g} lie outside of it")
    return [round(latitude, 3), round(longitude, 3)]
