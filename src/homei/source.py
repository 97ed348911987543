"""The section `source`: which feeds a city's tables come from, and what their columns mean.

A table (sales, listings, …) has feeds in order of precedence; each is of a kind (files, sql, …), and the module of the
kind says what may be declared for it. Addresses may name environment variables, `https://$TOKEN@host`: secrets are no
parameters, and what is written anywhere is the name.
"""

from __future__ import annotations

import datetime
import difflib
import pkgutil
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from homei.groups import Group, check_groups
from homei.section import Count, Range, Section

CANONICAL = (
    "transaction_id", "property_id", "sale_date", "price", "square_meters", "property_type", "location",
    "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude",
)  # fmt: skip

# The tables of a source, each with its columns as homei calls them; the first one is the record's own id.
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

# Without these there is nothing to value, and no table that could hold the record.
REQUIRED = {
    "sales": ("transaction_id", "sale_date", "price", "square_meters", "property_type", "location"),
    "listings": ("listing_id", "listed_on", "property_type", "location"),
    "customers": ("customer_id",),
    "leads": ("lead_id", "customer_id", "activity", "happened_on"),
    "indicators": ("series", "month", "value"),
}
# Where a source declares no range; zero itself is out.
USUAL_LIMITS = {"price": 100_000_000, "square_meters": 1000}

# What each room of the lake's data/raw/ holds.
ROOMS = {
    "transactions": ("sales",),
    "properties": ("listings",),
    "customers": ("customers", "leads"),
    "external": ("indicators", "places"),
}

# The kinds of feeds, each with the class in its module that says what is declared for it.
KINDS = {
    "api": "homei.sources.api:Api",
    "files": "homei.sources.files:Files",
    "indicators": "homei.sources.indicators:Indicators",
    "scrape": "homei.sources.scrape:Scrape",
    "sql": "homei.sources.sql:Sql",
}


class Column(Section):
    """Where one canonical column comes from; in YAML a bare string is short for `{column: string}`.

    What is nested is named by its path: `address.city`.
    """

    column: str | None = None
    template: str | None = None  # "{block} {street_name}"
    constant: str | None = None
    lookup: str | None = None  # a column of the table's lookup file
    unit: Literal["square_meters", "square_feet"] = "square_meters"
    format: str | None = None  # of a date, as strptime reads it
    serial: bool = False  # whether a date may come as the number of days that Excel counts
    band: str | None = None  # what separates the ends of a band such as "07 TO 09", whose middle counts
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


class Reading(Section):
    """How a file is read: `auto` goes by its name, with or without .gz.

    In CSV and Excel, titles may stand above the columns' names and totals below the rows.
    """

    format: Literal["auto", "csv", "excel", "jsonl", "parquet"] = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    sheet: str | None = None  # of a workbook, the first by default; a pattern such as "20*" names several
    header: Count | None = None  # the line that names the columns, by default the first that isn't empty
    header_lines: Count = 1  # over how many lines the names go: "Sale" above "Date" and "Price" is part of both
    footer: Annotated[str, Field(min_length=1)] | None = None  # what begins the line where the rows end: "Total"


class LookupFile(Reading):
    """A file that adds columns to each row by a key, such as coordinates by address."""

    file: str
    key: str
    template: str
    required: bool = False


class Feed(Section):
    """One way in which a table's records come, and what their columns mean."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "main"
    kind: str
    missing: list[str] = ["NA", "N/A", "NULL"]  # what stands for "unknown" beside an empty cell, in any case
    columns: dict[str, Column]
    numeric: dict[str, Column] = {}
    categorical: dict[str, Column] = {}
    lookup: LookupFile | None = None
    personal: list[str] = []  # columns of the feed that tell who someone is: only their keyed hash is kept
    family_names: list[str] = []  # those whose family name's hash is kept too, as `<column>_family`

    @model_validator(mode="after")
    def _family_names_are_personal(self) -> Feed:
        if clear := sorted(set(self.family_names) - set(self.personal)):
            raise ValueError(f"family_names: {', '.join(clear)} must be listed under personal too")
        return self

    def declared(self) -> dict[str, Column]:
        """All that the feed maps: the canonical columns, then its numeric and its categorical extras."""
        return {**self.columns, **self.numeric, **self.categorical}


class Span(NamedTuple):
    """Which changes of a feed to read: those from `since` (None for all) up to and with `until`, both in UTC."""

    since: datetime.datetime | None
    until: datetime.datetime


class LivingFeed(Feed):
    """A feed whose records change where they are: `homei fetch` lands them, each known by its key.

    `changed` names the column that tells when a record was last changed. With it, only what is new is read: what
    changed since the last time, less `overlap_days`, as servers' clocks and commits lag.
    """

    key: Annotated[list[str], Field(min_length=1)]
    changed: str | None = None
    overlap_days: Annotated[int, Field(ge=0)] = 1

    @field_validator("key", mode="before")
    @classmethod
    def _bare_string_is_one_column(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def came_from(self) -> str:
        """The feed's address as it is declared, with the names of secrets in place of their values."""
        return self.kind

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[Any]:
        """The feed's records as they are at their source, in batches: lists of (nested) dictionaries, or Arrow tables.

        What changed outside the span may come along. `memory` is the feed's own to fill, such as with ETags: it is kept
        with the records once all of them are landed, and handed in again the next time.
        Raises SourceError where the source can't be read to its end.
        """
        raise NotImplementedError


class AnyFeed:
    """A feed of the kind that its `kind` names, as the kind's own module declares it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        declared = {kind: handler.generate_schema(pkgutil.resolve_name(where)) for kind, where in KINDS.items()}
        return core_schema.tagged_union_schema(declared, discriminator="kind", strict=True)


def _feeds(value: Any) -> Any:
    """A table's only feed may stand alone, without a list around it."""
    return [value] if isinstance(value, Mapping | Feed) else value


class PlacesFile(Reading):
    """A file of points of interest of one kind."""

    kind: str
    file: str
    name: str
    latitude: str
    longitude: str
    required: bool = False


class Coordinates(Section):
    """WGS84 degrees (with the city's middle as origin), or metres on a plane (y as latitude, x as longitude)."""

    system: Literal["wgs84", "plane"] = "wgs84"
    origin: tuple[float, float] = (0.0, 0.0)


class Contract(Section):
    """What a sale must satisfy to be believed."""

    required: list[str]
    ranges: dict[str, Range] = {}


class Fetch(Section):
    """Where `homei fetch` downloads a source's files: data.gov.sg's dataset API."""

    url: str
    datasets: dict[str, str]


class Source(Section):
    # The kinds' modules are only imported where a source is read.
    model_config = ConfigDict(defer_build=True)

    name: str
    title: str
    currency: str
    as_of: datetime.date
    folder: str
    simulated: list[str] = []
    truth: str | None = None
    coordinates: Coordinates
    sales: Annotated[list[AnyFeed], Field(min_length=1)]
    listings: list[AnyFeed] = []
    customers: list[AnyFeed] = []
    leads: list[AnyFeed] = []
    indicators: list[AnyFeed] = []
    places: list[PlacesFile] = []
    groups: list[Group] = []
    contract: Contract
    fetch: Fetch | None = None

    _list_feeds = field_validator(*TABLES, mode="before")(_feeds)

    @model_validator(mode="after")
    def _names_are_known_and_told_apart(self) -> Source:
        for table in TABLES:
            feeds: list[Feed] = getattr(self, table)
            names = [feed.name for feed in feeds]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{table}: several feeds are called {', '.join(twice)}: give each a name of its own")
            for feed in feeds:
                _check_columns(table, feed)
        check_groups(self.groups, [*CANONICAL, *self.numeric, *self.categorical])
        return self

    def living(self) -> Iterator[tuple[str, LivingFeed]]:
        """The feeds that live elsewhere, each after its table."""
        for table in TABLES:
            yield from ((table, feed) for feed in getattr(self, table) if isinstance(feed, LivingFeed))

    def required(self, table: str) -> set[str]:
        """The columns that each record of a table must have."""
        return {*REQUIRED[table], *(self.contract.required if table == "sales" else ())}

    @property
    def place_kinds(self) -> list[str]:
        return sorted({places.kind for places in self.places})

    @property
    def numeric(self) -> list[str]:
        """The numbers that sales have beyond the canonical columns, whichever feed tells them."""
        return list(dict.fromkeys(name for feed in self.sales for name in feed.numeric))

    @property
    def categorical(self) -> list[str]:
        """The categories that sales have beyond the canonical columns, whichever feed tells them."""
        return list(dict.fromkeys(name for feed in self.sales for name in feed.categorical))


def _check_columns(table: str, feed: Feed) -> None:
    for name in feed.columns:
        if name not in TABLES[table]:
            nearest = difflib.get_close_matches(name, TABLES[table], n=1, cutoff=0.0)[0]
            raise ValueError(f"{table}.columns.{name}: there is no such column; did you mean {nearest}?")
    names = [*TABLES[table], *feed.numeric, *feed.categorical]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{table}: the extra column {', '.join(twice)} takes a name that is taken already")
