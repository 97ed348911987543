"""Configuration of the stage `resolve`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Count, Share


class MatchConfig(ConfigModel):
    distance_m: Annotated[float, Field(gt=0)]
    area: Share
    score: float
    margin: Annotated[float, Field(ge=0)]


class MergeConfig(ConfigModel):
    days: Annotated[int, Field(ge=0)]
    price: Share
    area: Share


class MarketSaleConfig(ConfigModel):
    nominal_price: float
    low_ratio: Annotated[float, Field(gt=0, lt=1)]
    bulk_properties: Annotated[int, Field(ge=2)]
    resale_days: Count
    resale_change: Annotated[float, Field(gt=0)]
    deviations: Annotated[float, Field(gt=0)]
    min_outlier_ratio: Annotated[float, Field(gt=1)]


class ResolveConfig(ConfigModel):
    match: MatchConfig
    merge: MergeConfig
    market: MarketSaleConfig
