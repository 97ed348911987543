"""The origin of a canonical column in a feed, and the notation of its cells."""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from homei.config.model import ConfigModel
from homei.config.texts import ColumnName

EPOCH_UNITS = {  # per second since 1970-01-01 in UTC
    "epoch_seconds": 1,
    "epoch_milliseconds": 1_000,
    "epoch_microseconds": 1_000_000,
    "epoch_nanoseconds": 1_000_000_000,
}
QUARTER = "quarter"
NAMED_FORMATS = (*EPOCH_UNITS, QUARTER)
_YEAR_DIRECTIVES = ("%Y", "%y", "%G", "%c", "%x")


class Column(ConfigModel):
    """The origin of one canonical column; in YAML a bare string is short for `{column: string}`.

    A nested field is named by its path: `address.city`.
    """

    column: ColumnName | None = None
    template: str | None = None  # "{block} {street_name}"; an empty part is left out
    constant: str | None = None
    lookup: ColumnName | None = None  # a column of the table's lookup file
    pattern: str | None = None  # a regular expression, whose group is the part of the text that counts
    unit: Literal["square_meters", "square_feet", "square_yards", "acres", "hectares", "tsubo"] = "square_meters"
    format: str | None = None  # of a date, as strptime reads it, or one of NAMED_FORMATS
    timezone: str | None = None  # in which an instant is a day: "Europe/Berlin"
    utc: bool = False  # whether times without an offset are in UTC
    pivot: Annotated[int, Field(ge=1800, le=2100)] | None = None  # the first of the 100 years that `%y` means
    serial: bool | Literal[1900, 1904] = False  # whether a date may be a workbook's day number; from which year
    missing: list[str] | None = None  # texts for an unknown value, instead of the feed's
    factor: Annotated[float, Field(gt=0)] = 1.0  # what a number is multiplied by: 10000 for prices in units of 万
    band: str | None = None  # separator of a range such as "07 TO 09", whose middle is used
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""

    @model_validator(mode="before")
    @classmethod
    def _bare_string_names_a_column(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("format")
    @classmethod
    def _format_names_a_year(cls, value: str | None) -> str | None:
        if value is None or value in NAMED_FORMATS:
            return value
        if "%" not in value:
            raise ValueError(f"matches no date: write it with % as in strptime, or one of {', '.join(NAMED_FORMATS)}")
        if not any(directive in value for directive in _YEAR_DIRECTIVES):
            raise ValueError("has no year, so that all dates would lie in 1900: add %Y or %y")
        return value

    @field_validator("pattern")
    @classmethod
    def _pattern_has_one_group(cls, value: str | None) -> str | None:
        try:
            if value is not None and re.compile(value).groups != 1:
                raise ValueError("needs one group in parentheses: the part of the text that counts")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
            raise ValueError("is no time zone of the IANA database, such as Europe/Berlin or America/Denver") from error
        return value

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Column:
        if sum(origin is not None for origin in (self.column, self.template, self.constant, self.lookup)) != 1:
            raise ValueError("needs exactly one of column, template, constant, lookup")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal can't both be {self.decimal!r}")
        if self.band is not None and not self.band.strip():
            raise ValueError("band needs more than spaces between its ends")
        if self.pivot is not None and "%y" not in (self.format or ""):
            raise ValueError("pivot belongs to a format with a two-digit year, %y")
        if self.utc and self.timezone is None:
            raise ValueError("utc needs timezone: in which time zone is such a time a day?")
        if self.serial and self.column is None:
            raise ValueError("serial needs a column: a template, constant or lookup has no serial numbers")
        if self.serial and self.format and re.fullmatch(r"(%[a-zA-Z]|[a-z_])+", self.format):
            raise ValueError(f"serial: a number such as 45366 could also be a date in the format {self.format!r}")
        return self
