"""Coordinates as texts: degrees with minutes and seconds, grid references, and what can't be told."""

import pytest

from homei.config.columns import Column
from homei.validation.coordinate_texts import coordinate, coordinate_fault

COLUMN = Column(column="x")


@pytest.mark.parametrize(
    ("cell", "axis", "value"),
    [
        ("52.5", "latitude", 52.5),
        ("52°30'00\"N", "latitude", 52.5),
        ("S 33° 30′ 0″", "latitude", -33.5),
        ("70°30'O", "longitude", -70.5),
        ("SJ 84 98", "latitude", 398_000.0),
        ("TQ 30000 80000", "longitude", 530_000.0),
        ("52°30'00\"N", "longitude", None),
        ("52°75'00\"N", "latitude", None),
        ("52.5, 13.4", "latitude", None),
    ],
)
def test_a_text_is_the_coordinate_of_its_axis_or_none(cell, axis, value):
    assert coordinate(cell, COLUMN, axis) == value


@pytest.mark.parametrize(
    ("cell", "words"),
    [("POINT (13.4 52.5)", "pattern"), ("52.5, 13.4", "pattern"), ("52°30'N", "the other axis"), ("?", "not a number")],
)
def test_what_is_no_coordinate_says_what_to_declare(cell, words):
    assert words in coordinate_fault(cell, COLUMN)
