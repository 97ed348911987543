"""Coordinates from text: a number, degrees with minutes and seconds, or a British grid reference."""

from __future__ import annotations

import re

from homei.config.columns import Column
from homei.validation.numbers import number, number_fault

DIRECTIONS = {"latitude": "NS", "longitude": "EWO"}  # O is the west of Romance languages
NEGATIVE = "SWO"
_NUMBER = r"[0-9]{1,3}(?:[.,][0-9]+)?"
_DEGREES = re.compile(
    rf"(?P<before>[NSEWO]?) ?(?P<minus>[-−]?)(?P<degrees>{_NUMBER}) ?(?:°|º|deg)? ?"
    rf"(?:(?P<minutes>{_NUMBER}) ?['′’]? ?)?(?:(?P<seconds>{_NUMBER}) ?(?:''|[\"″”])? ?)?(?P<behind>[NSEWO]?)",
    re.IGNORECASE,
)
_HAS_SIGN = re.compile(r"[°º′″'\"NSEWO]|deg", re.IGNORECASE)
_GRID = re.compile(r"(?P<square>[HJNOST][A-HJ-Z]) ?(?P<digits>[0-9 ]{4,11})", re.IGNORECASE)
_GRID_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # all but I


def coordinate(cell: str, column: Column, axis: str) -> float | None:
    """A cell as the coordinate of an axis; None for anything else, and for a direction of the other axis.

    A reference in the British National Grid, such as SJ 38421 98765, holds both axes in metres: the northing as
    latitude, the easting as longitude.
    """
    if (value := number(cell, column)) is not None:
        return value
    if is_grid_reference(cell):
        return _grid_metres(cell, axis)
    match = _DEGREES.fullmatch(cell) if _HAS_SIGN.search(cell) else None
    if match is None or (match["before"] and match["behind"]):
        return None
    direction = (match["before"] or match["behind"]).upper()
    degrees, minutes, seconds = (float((match[part] or "0").replace(",", ".")) for part in _PARTS)
    if minutes >= 60 or seconds >= 60 or (direction and direction not in DIRECTIONS[axis]):
        return None
    value = round(degrees + minutes / 60 + seconds / 3600, 7)
    return -value if match["minus"] or (direction and direction in NEGATIVE) else value


def coordinate_fault(cell: str, column: Column) -> str:
    """Why a cell is no coordinate, with the declaration under which it might be one."""
    if re.match(r"(SRID=\d+;)?POINT", cell, re.IGNORECASE):
        return "a point of both coordinates (pattern with a group for one of them?)"
    if re.fullmatch(r"[(\[]?-?[0-9]+[.,][0-9]+°?[,; ] ?-?[0-9]+[.,][0-9]+°?[)\]]?", cell):
        return "both coordinates in one cell (pattern with a group for one of them?)"
    if _HAS_SIGN.search(cell) and _DEGREES.fullmatch(cell):
        return "degrees of the other axis"
    return number_fault(cell, column)


def is_grid_reference(cell: str) -> bool:
    match = _GRID.fullmatch(cell)
    return match is not None and len(match["digits"].replace(" ", "")) % 2 == 0


def _grid_metres(cell: str, axis: str) -> float:
    """The metres of the south-western corner of a grid square.

    Letters are 500 and 100 km, digits are the rest.
    """
    match = _GRID.fullmatch(cell)
    first, second = (_GRID_LETTERS.index(letter) for letter in match["square"].upper())
    digits = match["digits"].replace(" ", "")
    half = len(digits) // 2
    if axis == "latitude":
        return float((19 - first // 5 * 5 - second // 5) * 100_000 + int(digits[half:]) * 10 ** (5 - half))
    return float(((first - 2) % 5 * 5 + second % 5) * 100_000 + int(digits[:half]) * 10 ** (5 - half))


_PARTS = ("degrees", "minutes", "seconds")
