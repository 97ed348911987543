"""Configuration of the stage `features`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Count


class CellSizes(ConfigModel):
    fine: Annotated[float, Field(gt=0)]
    coarse: Annotated[float, Field(gt=0)]


class SimilarityScales(ConfigModel):
    """The difference in each attribute that counts as a distance of one between comparables."""

    metres: Annotated[float, Field(gt=0)]
    floors: Annotated[float, Field(gt=0)]
    area: Annotated[float, Field(gt=0)]
    years: Annotated[float, Field(gt=0)]
    months: Annotated[float, Field(gt=0)]


class ComparablesConfig(ConfigModel):
    count: Count
    months: Count
    scales: SimilarityScales
    decay: Annotated[float, Field(gt=0)]
    reach: Annotated[float, Field(gt=0)]


class FeaturesConfig(ConfigModel):
    windows: Annotated[list[Count], Field(min_length=1)]
    cells: CellSizes
    index_months: Count
    places_radius: Annotated[float, Field(gt=0)]
    max_training_rows: Annotated[int, Field(ge=1_000)]
    comparables: ComparablesConfig
