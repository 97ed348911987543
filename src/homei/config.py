"""The sections of params.yaml, typed, frozen and strict: a slip stops before any work is done.

Secrets are no parameters: a section may hold the *name* of an environment variable, never its value.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from homei.section import Count, Range, Section, Share
from homei.serving import Serve
from homei.source import Source


class Thresholds(Section):
    """What each month of a feed is measured against; a feed's columns that are not required need `optional` only."""

    completeness: Share
    optional: Share
    validity: Share
    uniqueness: Share
    freshness_days: Annotated[int, Field(ge=0)]


class Curate(Section):
    commission_rate: Share
    history_months: Count
    average_months: Count
    thresholds: Thresholds


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
    keep: Annotated[float, Field(gt=0, lt=1)]
    startup_trials: int
    warmup_folds: int


class Tuning(Section):
    name: str
    trials: Annotated[int, Field(ge=1, le=10_000)]
    folds: Count
    fold_months: Count
    abreast: Count
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
    oddities: dict[str, Share]


class Validate(Section):
    max_rejected_share: Share


class Match(Section):
    distance: Annotated[float, Field(gt=0)]
    area: Share
    score: float
    margin: Annotated[float, Field(ge=0)]


class Merge(Section):
    days: Annotated[int, Field(ge=0)]
    price: Share
    area: Share


class Market(Section):
    nominal_price: float
    low_ratio: Annotated[float, Field(gt=0, lt=1)]
    bulk_homes: Annotated[int, Field(ge=2)]
    resale_days: Count
    resale_change: Annotated[float, Field(gt=0)]
    deviations: Annotated[float, Field(gt=0)]
    least_outlier: Annotated[float, Field(gt=1)]


class Resolve(Section):
    match: Match
    merge: Merge
    market: Market


class Cells(Section):
    fine: Annotated[float, Field(gt=0)]
    coarse: Annotated[float, Field(gt=0)]


class Scales(Section):
    """How far apart in each respect makes homes differ by one: what likeness is measured in."""

    metres: Annotated[float, Field(gt=0)]
    floors: Annotated[float, Field(gt=0)]
    area: Annotated[float, Field(gt=0)]
    years: Annotated[float, Field(gt=0)]
    months: Annotated[float, Field(gt=0)]


class Likeness(Section):
    count: Count
    months: Count
    scales: Scales
    decay: Annotated[float, Field(gt=0)]
    reach: Annotated[float, Field(gt=0)]


class Features(Section):
    windows: Annotated[list[Count], Field(min_length=1)]
    cells: Cells
    index_months: Count
    places_radius: Annotated[float, Field(gt=0)]
    comparables: Likeness


class Split(Section):
    hold_out_months: Count
    tested_months: Count
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


# In what respect a home is beyond what a model knows.
Flag = Literal["unknown_location", "unusual_area", "no_comparable", "unlike_any_sale"]
FLAGS: tuple[str, ...] = get_args(Flag)


class Scope(Section):
    area_tail: Annotated[float, Field(ge=0, lt=0.5)]
    alike_distance: Annotated[float, Field(gt=0)]
    widen: dict[Flag, Annotated[float, Field(ge=1)]]
    refuse: list[list[Flag]]


class Bands(Section):
    median_ratio: Range
    cod: Range
    prd: Range
    prb: Range
    mki: Range
    vei: Range


class Tolerance(Section):
    """How far apart the groups of a declared attribute may be valued."""

    level: Annotated[float, Field(gt=0)]
    error: Annotated[float, Field(gt=0)]


class Evaluate(Section):
    min_slice: Count
    bootstrap: Count
    trim: Annotated[float, Field(gt=0)]
    bands: Bands
    tolerance: Tolerance


class Promote(Section):
    draws: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    fewest: Count


class Experiment(Section):
    share: Share
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    unit: Literal["property", "client"]
    sales: Annotated[int, Field(ge=20)]
    difference: Annotated[float, Field(gt=0, lt=1)]


class Backtest(Section):
    refit_months: Count
    calibration_months: Annotated[int, Field(ge=2)]
    untuned: dict[str, int | float | str | bool]


class Drift(Section):
    sample: Annotated[int, Field(ge=100)]
    share: Share


class Package(Section):
    name: str
    months: Count


class Publish(Section):
    address: str
    file: str


class Params(Section):
    """Everything a run is made of, as `homei compose` writes it."""

    model_config = ConfigDict(defer_build=True)

    seed: int
    source: Source
    spark: Spark
    model: Model
    tuning: Tuning
    simulate: Simulate
    validate_: Validate = Field(alias="validate")
    resolve: Resolve
    features: Features
    split: Split
    train: Train
    intervals: Intervals
    scope: Scope
    evaluate: Evaluate
    backtest: Backtest
    promote: Promote
    experiment: Experiment
    drift: Drift
    curate: Curate
    package: Package
    serve: Serve
    publish: Publish


SECTIONS = {field.alias or name: field.annotation for name, field in Params.model_fields.items()}
