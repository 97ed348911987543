"""Sections `city` and `contract`: facts of a city that all stages share, and conditions for its sales."""

from __future__ import annotations

import datetime
import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from homei.config.model import ConfigModel, Range
from homei.config.projection import Coordinates

CANONICAL = (
    "transaction_id", "property_id", "sale_date", "price", "square_meters", "property_type", "location",
    "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude",
)  # fmt: skip

# Currencies whose unit is worth far less than a euro: about how many units make one, as a power of ten.
_UNITS = {
    "AMD": 100, "ARS": 1_000, "BDT": 100, "CLP": 1_000, "COP": 1_000, "CRC": 1_000, "CZK": 10, "HUF": 100,
    "IDR": 10_000, "INR": 100, "ISK": 100, "JPY": 100, "KES": 100, "KRW": 1_000, "KZT": 100, "LBP": 100_000,
    "LKR": 100, "MXN": 10, "NGN": 1_000, "PHP": 100, "PKR": 100, "PYG": 1_000, "RSD": 100, "RUB": 100, "THB": 10,
    "TRY": 10, "TWD": 10, "TZS": 1_000, "UAH": 10, "UGX": 1_000, "UZS": 10_000, "VND": 10_000,
}  # fmt: skip


def default_maximum(currency: str) -> dict[str, float]:
    """Upper limits where the contract has no range; the lower limit is 0, itself excluded."""
    return {"price": 100_000_000 * currency_units(currency), "square_meters": 1000}


def currency_units(currency: str) -> int:
    """About how many units of a currency make a euro, as a power of ten: 100 for JPY."""
    return _UNITS.get(currency.upper(), 1)


# Names that stages give to columns of their own. Spark ignores case.
RESERVED = {
    "address", "buyer", "buyer_family", "lag", "level", "line", "log_micro", "month", "n", "place", "reasons", "row",
    "sales", "seller", "seller_family", "squares", "total", "u", "u_micro", "valuation_date", "window", "x", "y",
}  # fmt: skip
RESERVED_STARTS = (
    "alike_", "coarse_", "comparable_", "fine_", "location_", "market_", "predicted_", "previous_", "source_",
)  # fmt: skip


def _attribute_name(name: str) -> str:
    """Spark, LightGBM and the service's JSON all accept such a name."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") or "attribute"
        raise ValueError(
            "the name of an attribute has letters from a to z, digits and _ only, and starts with a letter: "
            f"call it {plain if plain[0].isalpha() else f'a_{plain}'} and map it, `columns: {{…: {name!r}}}`"
        )
    if name.lower() in RESERVED or name.lower().startswith(RESERVED_STARTS):
        raise ValueError(f"homei uses this name for a column of its own: call it own_{name.lower()}, for example")
    return name


AttributeName = Annotated[str, AfterValidator(_attribute_name)]


class Attributes(ConfigModel):
    """The columns that sales have beyond the canonical ones; feeds map them like any other column."""

    numeric: list[AttributeName] = []
    categorical: list[AttributeName] = []

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
