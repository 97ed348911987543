"""Configuration of the evaluation and of drift detection."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Count, Range, Share


class Bands(ConfigModel):
    median_ratio: Range
    cod: Range
    prd: Range
    prb: Range
    mki: Range
    vei: Range


class FairnessTolerance(ConfigModel):
    """Largest accepted differences between the groups of a declared attribute."""

    level: Annotated[float, Field(gt=0)]
    error: Annotated[float, Field(gt=0)]


class EvaluateConfig(ConfigModel):
    min_slice: Count
    bootstrap: Count
    trim: Annotated[float, Field(gt=0)]
    bands: Bands
    tolerance: FairnessTolerance


class DriftConfig(ConfigModel):
    max_rows: Annotated[int, Field(ge=100)]
    drifted_share: Share
