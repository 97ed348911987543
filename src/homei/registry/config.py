"""Configuration of packaging, promotion and experiments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from homei.config.model import ConfigModel, Count, Share


class PromoteConfig(ConfigModel):
    draws: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    min_sales: Count


class ExperimentConfig(ConfigModel):
    share: Share
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    unit: Literal["property", "client"]
    sales: Annotated[int, Field(ge=20)]
    difference: Annotated[float, Field(gt=0, lt=1)]


class PackageConfig(ConfigModel):
    name: str
    months: Count
