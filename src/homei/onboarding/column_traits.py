"""What the values of a column can be: numbers, dates, categories, ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from homei.config.columns import Column
from homei.onboarding.date_notation import DateNotation, date_notation
from homei.onboarding.number_notation import NumberNotation, number_notation
from homei.onboarding.profiles import ColumnProfile
from homei.onboarding.words import contains
from homei.validation.coordinate_texts import DIRECTIONS, coordinate

ROUNDED_ID = re.compile(r"-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+")
LARGE_UNITS = "acre, acres, hectare, hectares, ha, tsubo, 坪, 평, sq yd, sq yds, sqyd, gaj"


@dataclass(frozen=True, eq=False)
class ColumnTraits:
    """A column's profile with the notations under which it parses.

    In a workbook, `texts` is the profile of the cells that are not typed as numbers: they have the notation.
    """

    profile: ColumnProfile
    is_excel: bool = False
    texts: ColumnProfile | None = None

    @property
    def name(self) -> str:
        return self.profile.name

    @cached_property
    def numbers(self) -> NumberNotation | None:
        return (self.texts and number_notation(self.texts)) or number_notation(self.profile)

    @cached_property
    def dates(self) -> DateNotation | None:
        return date_notation(self.profile, self.is_excel)

    @property
    def is_date(self) -> bool:
        """Whether the values are dates by themselves; numbers of five digits may be day numbers or post codes."""
        return self.dates is not None and self.dates.options != {"serial": True}

    @property
    def n_distinct(self) -> int:
        return self.profile.n_distinct

    @property
    def is_unique(self) -> bool:
        return self.n_distinct >= 0.98 * max(self.profile.n_filled, 1)

    @property
    def rows_per_value(self) -> float:
        return self.profile.n_filled / max(self.n_distinct, 1)

    @property
    def is_rounded_id(self) -> bool:
        """Whether a spreadsheet has rounded long ids, such as 1.4082E+13."""
        return self.profile.share(ROUNDED_ID.fullmatch) > 0.5


def fitness(role: str, column: ColumnTraits) -> float:
    """How well a column's values fit a canonical column, from 0 (not at all) to 1."""
    if not column.profile.n_filled:
        return 0.0
    if role == "sale_date":
        return 1.0 if column.dates is not None else 0.0
    if role in DIRECTIONS and column.numbers is None:
        declared = Column(column="x")
        return 1.0 if column.profile.share(lambda cell: coordinate(cell, declared, role) is not None) > 0.8 else 0.0
    if role == "square_meters" and column.numbers is not None and contains(column.name, LARGE_UNITS):
        return 1.0 if 0 < column.numbers.median <= 10_000 else 0.0
    if role in _NUMERIC_FITNESS:
        return _NUMERIC_FITNESS[role](column.numbers) if column.numbers is not None else 0.0
    if role == "transaction_id":
        return 1.0 if column.is_unique else 0.5 if column.n_distinct > 0.2 * column.profile.n_filled else 0.0
    if role == "property_id":
        return 1.0 if column.n_distinct > 0.2 * column.profile.n_filled or column.is_rounded_id else 0.0
    if role == "property_type":
        is_category = column.n_distinct <= 60 and column.rows_per_value >= 2 and column.profile.coverage > 0.3
        return 0.0 if not is_category else 1.0 if column.n_distinct > 1 else 0.5
    if role == "location":
        is_place = column.rows_per_value >= 3 or column.n_distinct <= 5
        few = 0.6 if column.n_distinct == 1 else 1.0
        return few * column.profile.coverage if is_place and not column.is_date else 0.0
    return 1.0 if column.numbers is None and column.n_distinct > 1 else 0.3


def _price(numbers: NumberNotation) -> float:
    return 1.0 if numbers.median > 0 else 0.0


def _area(numbers: NumberNotation) -> float:
    return 1.0 if 8 <= numbers.median <= 20_000 and numbers.n_distinct > 1 else 0.0


def _count(numbers: NumberNotation) -> float:
    return 1.0 if numbers.quantile(0.01) >= 0 and numbers.quantile(0.99) <= 60 and numbers.median <= 12 else 0.0


def _year(numbers: NumberNotation) -> float:
    return 1.0 if 1500 <= numbers.quantile(0.6) <= 2100 and numbers.is_whole else 0.0


def _floor(numbers: NumberNotation) -> float:
    return 1.0 if numbers.quantile(0.01) >= -6 and numbers.quantile(0.99) <= 150 else 0.0


def _coordinate(numbers: NumberNotation) -> float:
    return 1.0 if not numbers.is_whole or abs(numbers.median) > 180 else 0.0


_NUMERIC_FITNESS = {
    "price": _price, "square_meters": _area, "bedrooms": _count, "bathrooms": _count, "year_built": _year,
    "floor": _floor, "latitude": _coordinate, "longitude": _coordinate,
}  # fmt: skip
