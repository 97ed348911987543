"""Feature names and month numbers, shared by the Spark stage, the models and the service."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homei.config.city import CityConfig
    from homei.features.config import FeaturesConfig

LEVELS = ("location", "fine", "coarse")
STATISTICS = ("level", "spread", "count")
CHANGES = (3, 12)  # periods of market change in months: a quarter and a year
MARKET_LEVEL = "market_level"
PREVIOUS_COLUMNS = ["previous_level", "previous_months"]
COMPARABLE_LEVEL = "comparable_level"
COMPARABLE_COLUMNS = [COMPARABLE_LEVEL, "comparable_distance", "alike_distance"]


def month_of(date: datetime.date) -> int:
    """The number of a date's month, counted from January of year 0, so that months can be subtracted."""
    return date.year * 12 + date.month - 1


def first_day(month: int) -> datetime.date:
    """The first day of a numbered month; the inverse of `month_of`."""
    return datetime.date(month // 12, month % 12 + 1, 1)


def change_columns() -> list[str]:
    """Market change up to the month before: `market_change_3`, `market_change_12`."""
    return [f"market_change_{months}" for months in CHANGES]


def statistic_columns(features: FeaturesConfig) -> list[str]:
    """The market statistics of one place: `level_3, spread_3, count_3, level_12, …`."""
    return [f"{statistic}_{window}" for window in features.windows for statistic in STATISTICS]


def history_columns(features: FeaturesConfig) -> list[str]:
    """The market history at each level, as of the month before: `location_level_3`, …, `coarse_count_12`."""
    return [f"{level}_{column}" for level in LEVELS for column in statistic_columns(features)]


def nearby_columns(kind: str) -> tuple[str, str]:
    """Distance to the nearest place of a kind, and number of places within the radius."""
    return f"{kind}_distance", f"{kind}_count"


def place_columns(city: CityConfig) -> list[str]:
    """The distances and counts of all kinds of places of a city."""
    return [column for kind in city.place_kinds for column in nearby_columns(kind)]


def feature_columns(city: CityConfig, features: FeaturesConfig) -> list[str]:
    """All columns that the stage adds to a sale, in the order of the table."""
    market = [MARKET_LEVEL, *change_columns()]
    return [*market, *history_columns(features), *PREVIOUS_COLUMNS, *COMPARABLE_COLUMNS, *place_columns(city)]


def numeric_inputs(city: CityConfig, features: FeaturesConfig) -> list[str]:
    """The numeric inputs of a model.

    Without the market level: the target is relative to it, and trees cannot extrapolate it. Without the distances of
    comparables: they indicate uncertainty, and as inputs they added only noise.
    """
    inputs = [name for name in feature_columns(city, features)[1:] if name not in COMPARABLE_COLUMNS[1:]]
    attributes = ["square_meters", "bedrooms", "bathrooms", "floor", "latitude", "longitude"]
    return [*attributes, *city.attributes.numeric, *inputs]


def categorical_inputs(city: CityConfig) -> list[str]:
    """The categorical inputs of a model."""
    return ["property_type", "location", *city.attributes.categorical]


def optional_columns(city: CityConfig, features: FeaturesConfig) -> list[list[str]]:
    """Groups of columns that are unknown together, each led by the attribute that a request may leave out."""
    cells = [column for column in history_columns(features) if not column.startswith("location_")]
    return [
        ["latitude", "longitude", COMPARABLE_LEVEL, *cells, *place_columns(city)],
        ["location", *(column for column in history_columns(features) if column.startswith("location_"))],
        ["year_built", COMPARABLE_LEVEL],
        ["floor", COMPARABLE_LEVEL],
        ["bedrooms", "bathrooms"],
        list(PREVIOUS_COLUMNS),
        *([name] for name in city.attributes.names),
    ]
