"""The names of the features, and months as numbers: what Spark writes, the model reads and the service looks up."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homei.config import Features
    from homei.source import Source

LEVELS = ("location", "fine", "coarse")
STATISTICS = ("level", "spread", "count")
CHANGES = (3, 12)  # months over which the market's movement is told: a quarter and a year
MARKET_LEVEL = "market_level"
PREVIOUS_COLUMNS = ["previous_level", "previous_months"]
COMPARABLE_LEVEL = "comparable_level"
COMPARABLE_COLUMNS = [COMPARABLE_LEVEL, "comparable_distance", "alike_distance"]


def month_of(date: datetime.date) -> int:
    """The number of a date's month, counted from January of the year 0, so that months can be subtracted."""
    return date.year * 12 + date.month - 1


def first_day(month: int) -> datetime.date:
    """The first day of a numbered month: what `month_of` undoes."""
    return datetime.date(month // 12, month % 12 + 1, 1)


def change_columns() -> list[str]:
    """The market's movement up to the month before: `market_change_3`, `market_change_12`."""
    return [f"market_change_{months}" for months in CHANGES]


def statistic_columns(features: Features) -> list[str]:
    """What is told of one place's market, whichever the level: `level_3, spread_3, count_3, level_12, …`."""
    return [f"{statistic}_{window}" for window in features.windows for statistic in STATISTICS]


def history_columns(features: Features) -> list[str]:
    """A place's market at each level, as of the month before: `location_level_3`, …, `coarse_count_12`."""
    return [f"{level}_{column}" for level in LEVELS for column in statistic_columns(features)]


def nearby_columns(kind: str) -> tuple[str, str]:
    """The distance to the nearest place of a kind, and how many there are within the radius."""
    return f"{kind}_distance", f"{kind}_count"


def place_columns(source: Source) -> list[str]:
    """The distances and counts of all kinds of places that a source has."""
    return [column for kind in source.place_kinds for column in nearby_columns(kind)]


def feature_columns(source: Source, features: Features) -> list[str]:
    """All that Spark adds to a sale, in the order in which the table has it."""
    market = [MARKET_LEVEL, *change_columns()]
    return [*market, *history_columns(features), *PREVIOUS_COLUMNS, *COMPARABLE_COLUMNS, *place_columns(source)]


def numeric_inputs(source: Source, features: Features) -> list[str]:
    """The numeric inputs of a model.

    The market's level is not among them: the target is measured against it, and trees could not follow it anyway. How
    far away comparables are isn't either: it tells how sure a valuation is, and as an input it brought only noise.
    """
    known = [name for name in feature_columns(source, features)[1:] if name not in COMPARABLE_COLUMNS[1:]]
    attributes = ["square_meters", "bedrooms", "bathrooms", "floor", "latitude", "longitude"]
    return [*attributes, *source.numeric, *known]


def categorical_inputs(source: Source) -> list[str]:
    """The categorical inputs of a model."""
    return ["property_type", "location", *source.categorical]


def optional_columns(source: Source, features: Features) -> list[list[str]]:
    """What is unknown together: for each attribute that a home may be valued without, the columns that go with it."""
    cells = [column for column in history_columns(features) if not column.startswith("location_")]
    return [
        ["latitude", "longitude", COMPARABLE_LEVEL, *cells, *place_columns(source)],
        ["location", *(column for column in history_columns(features) if column.startswith("location_"))],
        ["year_built", COMPARABLE_LEVEL],
        ["floor", COMPARABLE_LEVEL],
        ["bedrooms", "bathrooms"],
        list(PREVIOUS_COLUMNS),
        *([name] for name in (*source.numeric, *source.categorical)),
    ]
