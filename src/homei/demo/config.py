"""Configuration of the simulated city."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Share

Effect = Annotated[float, Field(ge=0, lt=0.5)]  # on log price


class ShiftConfig(ConfigModel):
    """A lasting change of log price in some districts during the last months."""

    districts: int
    months: int
    change: float


class UnobservedConfig(ConfigModel):
    """Effects on log price that no register records: three standard deviations, and renovations."""

    street: Effect
    building: Effect
    property: Effect
    renovated_share: Share
    renovation_gain: Effect


class LocalTrendsConfig(ConfigModel):
    """Neighbourhoods whose prices rise or fall for 12 to 36 months."""

    pairs: Annotated[int, Field(ge=0)]
    peak: Effect
    radius_m: Annotated[float, Field(gt=0)]


class SimulateConfig(ConfigModel):
    properties: Annotated[int, Field(ge=100)]
    sales: Annotated[int, Field(ge=100)]
    months: Annotated[int, Field(ge=24)]
    districts: Annotated[int, Field(ge=4)]
    noise: Annotated[float, Field(gt=0, lt=1)]
    unobserved: UnobservedConfig
    local_trends: LocalTrendsConfig
    shift: ShiftConfig
    faults: dict[str, Share]
    non_market_sales: dict[str, Share]
