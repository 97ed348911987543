"""The format of a file of rows: delimiter, encoding, sheets, and the lines of column names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from homei.config.model import ConfigModel, Count
from homei.config.projection import CoordinateSystem
from homei.config.texts import ColumnName

NO_HEADER = "a file without a line of column names declares them instead: `names: [id, price, …]`, in their order"


class FileFormat(ConfigModel):
    """The format of a file; `auto` is by its suffix, with or without .gz.

    `jsonl` is also JSON that is one list. In CSV and Excel, titles may precede the column names, and totals may follow
    the rows.
    """

    format: Literal["auto", "csv", "excel", "jsonl", "parquet"] = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None  # by default the one that fits the rows
    encoding: str | None = None  # by default as the byte order mark says, UTF-8 without one
    member: str | None = None  # a pattern for the files in a zip, by default all of a known format
    sheet: str | None = None  # of a workbook, the first visible one by default; a pattern such as "20*" names several
    header: Count | None = None  # the line of the column names, by default the first that isn't empty
    header_lines: Count = 1  # lines of the column names: "Sale" above "Date" and "Price" is part of both
    names: Annotated[list[ColumnName], Field(min_length=1)] | None = None  # column names of a file that has no header
    footer: Annotated[str, Field(min_length=1)] | None = None  # the start of the line after the rows: "Total"
    records_at: str = ""  # the path of the list of records in a JSON document, such as `features`

    @field_validator("header", mode="before")
    @classmethod
    def _lines_count_from_one(cls, value: Any) -> Any:
        if value == 0:
            raise ValueError(f"lines count from 1; {NO_HEADER}")
        return value

    @model_validator(mode="after")
    def _names_replace_the_header(self) -> FileFormat:
        if self.names is not None and (self.header is not None or self.header_lines > 1):
            raise ValueError("names: is for files without a line of column names; leave out header and header_lines")
        return self


class LookupFile(FileFormat):
    """A file that adds columns to each row by a key, such as coordinates by address."""

    file: str
    key: ColumnName
    template: str
    required: bool = False


class PlacesFile(FileFormat):
    """A file of points of interest of one kind."""

    kind: str
    file: str
    name: ColumnName
    latitude: ColumnName
    longitude: ColumnName
    system: CoordinateSystem | None = None  # of the file's coordinates, if it is not the city's
    required: bool = False
