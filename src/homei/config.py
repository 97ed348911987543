"""The sections of params.yaml, typed, frozen and strict: a slip stops before any work is done.

Secrets are no parameters: a section may hold the *name* of an environment variable, never its value.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CANONICAL = (
    "transaction_id", "property_id", "sale_date", "price", "square_meters", "property_type", "location",
    "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude",
)  # fmt: skip
Canonical = Literal[CANONICAL]
Range = Annotated[tuple[float, float], Field(description="lowest and highest value allowed, both included")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())


class Column(Section):
    """Where one canonical column comes from; in YAML a bare string is short for `{column: string}`."""

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


class SalesFiles(Reading):
    """Which files hold the sales, how to read them, and which of their columns mean what."""

    kind: Literal["files"]
    files: Annotated[list[str], Field(min_length=1)]
    missing: list[str] = ["NA", "N/A", "NULL"]  # what stands for "unknown" beside an empty cell, in any case
    columns: dict[Canonical, Column]
    numeric: dict[str, Column] = {}
    categorical: dict[str, Column] = {}
    lookup: LookupFile | None = None


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
    name: str
    title: str
    currency: str
    as_of: datetime.date
    folder: str
    simulated: list[str] = []
    truth: str | None = None
    coordinates: Coordinates
    sales: SalesFiles
    places: list[PlacesFile] = []
    contract: Contract
    fetch: Fetch | None = None

    @property
    def place_kinds(self) -> list[str]:
        return sorted({places.kind for places in self.places})


class Spark(Section):
    master: str | None
    master_env: str | None
    driver_memory: str
    shuffle_partitions: Count


class SearchRange(Section):
    kind: Literal["int", "float"]
    low: float
    high: float
    log: bool = False


class Model(Section):
    name: Literal["lightgbm", "hist_gradient_boosting", "gradient_boosting", "linear"]
    parameters: dict[str, int | float | str | bool]
    search: dict[str, SearchRange]


class Sampler(Section):
    startup_trials: Count
    multivariate: bool
    constant_liar: bool


class Pruner(Section):
    startup_trials: int
    warmup_folds: int


class Tuning(Section):
    name: str
    trials: Annotated[int, Field(ge=1, le=10_000)]
    folds: Count
    fold_months: Count
    sampler: Sampler
    pruner: Pruner


class Shift(Section):
    districts: int
    months: int
    change: float


class Simulate(Section):
    properties: Annotated[int, Field(ge=100)]
    sales: Annotated[int, Field(ge=100)]
    months: Annotated[int, Field(ge=24)]
    districts: Annotated[int, Field(ge=4)]
    noise: Annotated[float, Field(gt=0, lt=1)]
    shift: Shift
    faults: dict[str, Share]


class Validate(Section):
    max_rejected_share: Share


class Cells(Section):
    fine: Annotated[float, Field(gt=0)]
    coarse: Annotated[float, Field(gt=0)]


class Features(Section):
    windows: Annotated[list[Count], Field(min_length=1)]
    cells: Cells
    index_months: Count
    places_radius: Annotated[float, Field(gt=0)]


class Split(Section):
    hold_out_months: Count
    warm_up_months: Count


class Incomplete(Section):
    share: Share
    weight: Share


class Train(Section):
    workers: Count
    left_out: list[str]
    incomplete: Incomplete
    half_life_months: Annotated[float, Field(gt=0)]


class Intervals(Section):
    level: Annotated[float, Field(gt=0.5, lt=1)]
    folds: Annotated[int, Field(ge=2)]


class Bands(Section):
    median_ratio: Range
    cod: Range
    prd: Range
    prb: Range


class Evaluate(Section):
    min_slice: Count
    bootstrap: Count
    bands: Bands


class Drift(Section):
    sample: Annotated[int, Field(ge=100)]
    share: Share


class Package(Section):
    name: str
    months: Count


class Serve(Section):
    max_batch: Count
    max_body_bytes: Count
    max_concurrency: Count
    timeout: Count


class Params(Section):
    """Everything a run is made of, as `homei compose` writes it."""

    seed: int
    source: Source
    spark: Spark
    model: Model
    tuning: Tuning
    simulate: Simulate
    validate_: Validate = Field(alias="validate")
    features: Features
    split: Split
    train: Train
    intervals: Intervals
    evaluate: Evaluate
    drift: Drift
    package: Package
    serve: Serve


SECTIONS = {field.alias or name: field.annotation for name, field in Params.model_fields.items()}
