"""Configuration of the stage `curate`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Count, Share


class QualityThresholds(ConfigModel):
    """Thresholds for each month of a feed; columns that are not required need the completeness `optional`."""

    completeness: Share
    optional: Share
    validity: Share
    uniqueness: Share
    freshness_days: Annotated[int, Field(ge=0)]


class CurateConfig(ConfigModel):
    """Commission for the customers' lifetime value, months of market_analytics, and months of a location's average."""

    commission_rate: Share
    history_months: Count
    average_months: Count
    thresholds: QualityThresholds
