"""Section `feeds`: the feeds of each table in order of precedence, and their column mappings.

Each feed has a kind (files, sql, …); the class of the kind, in `ingestion.connectors`, declares its fields. Addresses
may name environment variables, `https://$TOKEN@host`: secrets are not parameters, only their names are written.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from homei.config.city import CANONICAL, CityConfig, ContractConfig
from homei.config.model import ConfigModel, Count

# The columns of each table under their canonical names; the first one is the record's id.
TABLES: dict[str, tuple[str, ...]] = {
    "sales": (*CANONICAL, "address", "seller", "buyer", "seller_family", "buyer_family"),
    "listings": (
        "listing_id", "property_id", "listed_on", "closed_on", "price", "square_meters", "property_type", "location",
        "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude", "address",
    ),
    "customers": ("customer_id", "name", "email", "phone", "location", "registered_on"),
    "leads": ("lead_id", "customer_id", "listing_id", "transaction_id", "activity", "happened_on", "budget"),
    "indicators": ("series", "month", "value"),
}  # fmt: skip

# The columns in which every record of a table must have a value.
REQUIRED = {
    "sales": ("transaction_id", "sale_date", "price", "square_meters", "property_type", "location"),
    "listings": ("listing_id", "listed_on", "property_type", "location"),
    "customers": ("customer_id",),
    "leads": ("lead_id", "customer_id", "activity", "happened_on"),
    "indicators": ("series", "month", "value"),
}
# The class of each kind of feed, imported when a feed of the kind is read.
KINDS = {
    "api": "homei.ingestion.connectors.api:Api",
    "files": "homei.ingestion.connectors.files:Files",
    "indicators": "homei.ingestion.connectors.indicators:Indicators",
    "scrape": "homei.ingestion.connectors.scrape:Scrape",
    "sql": "homei.ingestion.connectors.sql:Sql",
}


class Column(ConfigModel):
    """The origin of one canonical column; in YAML a bare string is short for `{column: string}`.

    A nested field is named by its path: `address.city`.
    """

    column: str | None = None
    template: str | None = None  # "{block} {street_name}"
    constant: str | None = None
    lookup: str | None = None  # a column of the table's lookup file
    unit: Literal["square_meters", "square_feet"] = "square_meters"
    format: str | None = None  # of a date, as strptime reads it
    serial: bool = False  # whether a date may be an Excel serial number
    band: str | None = None  # separator of a range such as "07 TO 09", whose middle is used
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""

    @model_validator(mode="before")
    @classmethod
    def _bare_string_names_a_column(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Column:
        if sum(origin is not None for origin in (self.column, self.template, self.constant, self.lookup)) != 1:
            raise ValueError("needs exactly one of column, template, constant, lookup")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal can't both be {self.decimal!r}")
        if self.band is not None and not self.band.strip():
            raise ValueError("band needs more than spaces between its ends")
        return self


class FileFormat(ConfigModel):
    """The format of a file; `auto` is by its suffix, with or without .gz.

    In CSV and Excel, titles may precede the column names, and totals may follow the rows.
    """

    format: Literal["auto", "csv", "excel", "jsonl", "parquet"] = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    sheet: str | None = None  # of a workbook, the first by default; a pattern such as "20*" names several
    header: Count | None = None  # the line of the column names, by default the first that isn't empty
    header_lines: Count = 1  # lines of the column names: "Sale" above "Date" and "Price" is part of both
    footer: Annotated[str, Field(min_length=1)] | None = None  # the start of the line after the rows: "Total"


class LookupFile(FileFormat):
    """A file that adds columns to each row by a key, such as coordinates by address."""

    file: str
    key: str
    template: str
    required: bool = False


class Feed(ConfigModel):
    """A feed of one table: the origin of its records and their column mapping."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "main"
    kind: str
    missing: list[str] = ["NA", "N/A", "NULL"]  # texts for an unknown value, in any case
    columns: dict[str, Column]
    lookup: LookupFile | None = None
    personal: list[str] = []  # columns that identify persons: only a keyed hash is stored
    family_names: list[str] = []  # those with a hash of the family name, as `<column>_family`

    @model_validator(mode="after")
    def _family_names_are_personal(self) -> Feed:
        if clear := sorted(set(self.family_names) - set(self.personal)):
            raise ValueError(f"family_names: {', '.join(clear)} must be listed under personal too")
        return self


class AnyFeed:
    """A feed whose `kind` selects its class from KINDS."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        declared = {kind: handler.generate_schema(pkgutil.resolve_name(where)) for kind, where in KINDS.items()}
        return core_schema.tagged_union_schema(declared, discriminator="kind", strict=True)


def _feeds(value: Any) -> Any:
    """A list of feeds, also from a single feed or from null."""
    if value is None:
        return []
    return [value] if isinstance(value, Mapping | Feed) else value


class PlacesFile(FileFormat):
    """A file of points of interest of one kind."""

    kind: str
    file: str
    name: str
    latitude: str
    longitude: str
    required: bool = False


class FeedsConfig(ConfigModel):
    """The feeds of each table, in order of precedence; a table's only feed may be given without a list."""

    # The kinds' modules are only imported where feeds are read.
    model_config = ConfigDict(defer_build=True)

    sales: Annotated[list[AnyFeed], Field(min_length=1)]
    listings: list[AnyFeed] = []
    customers: list[AnyFeed] = []
    leads: list[AnyFeed] = []
    indicators: list[AnyFeed] = []
    places: list[PlacesFile] = []

    _list_feeds = field_validator(*TABLES, "places", mode="before")(_feeds)

    @model_validator(mode="after")
    def _names_are_unique(self) -> FeedsConfig:
        for table, feeds in self.by_table():
            if duplicates := _duplicates(feed.name for feed in feeds):
                raise ValueError(f"{table}: several feeds are called {duplicates}: give each a name of its own")
        return self

    def by_table(self) -> Iterator[tuple[str, list[Feed]]]:
        """The feeds of each table but places."""
        yield from ((table, getattr(self, table)) for table in TABLES)


class Source(NamedTuple):
    """The declarations that reading and checking records needs: sections `city`, `feeds` and `contract`."""

    city: CityConfig
    feeds: FeedsConfig
    contract: ContractConfig = ContractConfig()

    def of(self, table: str) -> list[Feed]:
        """The feeds of a table, in order of precedence."""
        return getattr(self.feeds, table)

    def columns(self, table: str) -> list[str]:
        """The columns of a table: the canonical ones, then those of the city's attributes that a feed maps."""
        mapped = {name for feed in self.of(table) for name in feed.columns}
        return [*TABLES[table], *(name for name in self.city.attributes.names if name in mapped)]

    def required(self, table: str) -> set[str]:
        """The columns that each record of a table must have."""
        return {*REQUIRED[table], *(self.contract.required if table == "sales" else ())}


def check(source: Source) -> None:
    """Raises ValueError if feeds and groups use columns or kinds of places that the city does not declare."""
    attributes = source.city.attributes.names
    if taken := _duplicates([*TABLES["sales"], *attributes]):
        raise ValueError(f"city.attributes: {taken} is the name of another column already")
    for table, feeds in source.feeds.by_table():
        for feed in feeds:
            _check_names(f"feeds.{table}.columns", feed.columns, [*TABLES[table], *attributes])
    mapped = {name for feed in source.feeds.sales for name in feed.columns}
    if missing := [name for name in attributes if name not in mapped]:
        raise ValueError(f"city.attributes: no feed of sales maps {', '.join(missing)}: add it to feeds.sales.columns")
    if {places.kind for places in source.feeds.places} != {*source.city.place_kinds}:
        kinds = ", ".join(sorted({places.kind for places in source.feeds.places}))
        raise ValueError(f"city.place_kinds: must name the kinds in feeds.places: [{kinds}]")
    _check_groups(source.city)


def _check_groups(city: CityConfig) -> None:
    if duplicates := _duplicates(group.name for group in city.groups):
        raise ValueError(f"city.groups: several are called {duplicates}: give each a name of its own")
    for group in city.groups:
        for field in ("column", "key"):
            name = getattr(group, field)
            known = [*CANONICAL, *city.attributes.names]
            if name is not None and name not in known:
                raise ValueError(f"city.groups.{group.name}.{field} = {name!r}: {_unknown(name, known)}")


def _check_names(key: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key}.{name}: {_unknown(name, known)}")


def _unknown(name: str, known: list[str]) -> str:
    return f"there is no such column; did you mean {difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]}?"


def _duplicates(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
