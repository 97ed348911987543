"""Section `feeds`: the feeds of each table in order of precedence, and their column mappings.

Each feed has a kind (files, sql, …); the class of the kind, in `ingestion.connectors`, declares its fields. Addresses
may name environment variables, `https://$TOKEN@host`: secrets are not parameters, only their names are written.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from homei.config.city import CANONICAL, CityConfig, ContractConfig
from homei.config.columns import Column
from homei.config.file_formats import LookupFile, PlacesFile
from homei.config.model import ConfigModel, Share
from homei.config.projection import CoordinateSystem
from homei.config.texts import ColumnName, normal_text

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
SMALL_TABLES = ("indicators", "places")  # which do not grow with the sales, and are always in the workspace

# The columns in which every record of a table must have a value.
REQUIRED = {
    "sales": ("transaction_id", "sale_date", "price", "property_type", "location"),
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


def _text(value: Any) -> str:
    """A value of a feed's column; YAML reads an unquoted 1 as a number and an unquoted no as false."""
    if not isinstance(value, str):
        raise ValueError("is no text in YAML: put it in quotation marks")
    return normal_text(value)


Values = Annotated[list[Annotated[str, BeforeValidator(_text)]], Field(min_length=1)]


class DeletedMarker(ConfigModel):
    """The values of a feed's column by which its source marks deleted records.

    Without `values`, any value does.
    """

    column: ColumnName
    values: Values | None = None


class Feed(ConfigModel):
    """A feed of one table: the origin of its records and their column mapping."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "main"
    kind: str
    missing: list[str] = ["NA", "N/A", "#N/A", "NULL"]  # texts for an unknown value, in any case
    include: dict[ColumnName, Values] = {}  # only rows with one of these values in the feed's column are records
    exclude: dict[ColumnName, Values] = {}  # rows with one of these values in the feed's column are no records
    system: CoordinateSystem | None = None  # of the feed's coordinates, if it is not the city's
    columns: dict[str, Column]
    lookup: LookupFile | None = None
    personal: list[ColumnName] = []  # columns that identify persons: only a keyed hash is stored
    family_names: list[ColumnName] = []  # those with a hash of the family name, as `<column>_family`
    deed: ColumnName | None = None  # of sales: rows with the same value in this column are one sale at one price
    deleted: DeletedMarker | None = None
    max_rejected_share: Share | None = None  # by default validate.max_rejected_share

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
            if repeated := duplicates(feed.name for feed in feeds):
                raise ValueError(f"{table}: several feeds are called {repeated}: give each a name of its own")
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


def duplicates(names: Iterable[str]) -> str:
    """The names that occur more than once, in words."""
    names = list(names)
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
