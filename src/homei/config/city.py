"""Sections `city` and `contract`: facts of a city that all stages share, and conditions for its sales."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import Field, model_validator

from homei.config.model import ConfigModel, Range
from homei.config.projection import Coordinates

CANONICAL = (
    "transaction_id", "property_id", "sale_date", "price", "square_meters", "property_type", "location",
    "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude",
)  # fmt: skip

# Upper limits where the contract has no range; the lower limit is 0, itself excluded.
DEFAULT_MAXIMUM = {"price": 100_000_000, "square_meters": 1000}


class Attributes(ConfigModel):
    """The columns that sales have beyond the canonical ones; feeds map them like any other column."""

    numeric: list[str] = []
    categorical: list[str] = []

    @property
    def names(self) -> list[str]:
        return [*self.numeric, *self.categorical]


class Group(ConfigModel):
    """A grouping of sales for the fairness study: a column, or a CSV file that maps a column.

    The file has the sales' column `key` in `key_column` (by default the same name), and the group in `value`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    column: str | None = None
    file: str | None = None
    key: str | None = None
    key_column: str | None = None
    value: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"

    @model_validator(mode="after")
    def _is_a_column_or_a_file(self) -> Group:
        file_fields = (self.file, self.key, self.value)
        if self.column is not None and any(field is not None for field in (*file_fields, self.key_column)):
            raise ValueError("has a column of the sales: file, key, key_column and value belong to a group from a file")
        if self.column is None and None in file_fields:
            raise ValueError("needs either column, or file with key and value")
        return self

    @property
    def origin(self) -> str:
        """Where its values come from, in words."""
        return f"the sales' {self.column}" if self.column else f"{self.file}, by {self.key}"

    @property
    def required(self) -> bool:
        """Whether its file must exist, as that of a lookup may be."""
        return True


class CityConfig(ConfigModel):
    """A city: name, currency, date of valuation, data folder, coordinates, own columns and groups."""

    name: str
    title: str
    currency: str
    as_of: datetime.date
    folder: str
    coordinates: Coordinates
    simulated: list[str] = []  # the cities that the graph simulates: this one, or none
    truth: str | None = None  # a simulated city's true values, in its folder
    attributes: Attributes = Attributes()
    place_kinds: list[str] = []
    groups: list[Group] = []

    @property
    def is_simulated(self) -> bool:
        return self.name in self.simulated


class ContractConfig(ConfigModel):
    """The conditions that a sale must meet: columns that must have a value, and ranges of values."""

    required: list[str] = []
    ranges: dict[str, Range] = {}
