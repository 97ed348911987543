"""Configuration of tuning, training, intervals, applicability checks and the backtest."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from homei.config.model import ConfigModel, Count, Share


class SearchRange(ConfigModel):
    kind: Literal["int", "float"]
    low: float
    high: float
    log: bool = False


class ModelConfig(ConfigModel):
    name: Literal["lightgbm", "hist_gradient_boosting", "gradient_boosting", "linear"]
    parameters: dict[str, int | float | str | bool]
    search: dict[str, SearchRange]


class SamplerConfig(ConfigModel):
    startup_trials: Count
    multivariate: bool
    constant_liar: bool


class PrunerConfig(ConfigModel):
    keep: Annotated[float, Field(gt=0, lt=1)]
    startup_trials: int
    warmup_folds: int


class TuningConfig(ConfigModel):
    name: str
    trials: Annotated[int, Field(ge=1, le=10_000)]
    folds: Count
    fold_months: Count
    parallel_trials: Count
    sampler: SamplerConfig
    pruner: PrunerConfig


class SplitConfig(ConfigModel):
    hold_out_months: Count
    tested_months: Count
    warm_up_months: Count


class MaskingConfig(ConfigModel):
    share: Share
    weight: Share


class TrainConfig(ConfigModel):
    workers: Count
    threads: Count
    excluded_features: list[str]
    attribute_masking: MaskingConfig
    half_life_months: Annotated[float, Field(gt=0)]
    learning_curve_rows: list[Count]


class IntervalsConfig(ConfigModel):
    level: Annotated[float, Field(gt=0.5, lt=1)]
    folds: Annotated[int, Field(ge=2)]


# Respects in which a property lies outside the training data.
Flag = Literal["unknown_location", "unusual_area", "no_comparable", "unlike_any_sale", "thin_evidence"]
FLAGS: tuple[str, ...] = get_args(Flag)


class ApplicabilityConfig(ConfigModel):
    area_tail: Annotated[float, Field(ge=0, lt=0.5)]
    alike_distance: Annotated[float, Field(gt=0)]
    min_sales: Count
    widen: dict[Flag, Annotated[float, Field(ge=1)]]
    refuse: list[list[Flag]]


class BacktestConfig(ConfigModel):
    refit_months: Count
    calibration_months: Annotated[int, Field(ge=2)]
    untuned: dict[str, int | float | str | bool]
