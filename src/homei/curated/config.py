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
    """Settings of the curated tables.

    `commission_rate` gives the customers' lifetime value, `history_months` the length of market_analytics, and
    `average_months` that of a location's average in property_features.
    """

    commission_rate: Share
    history_months: Count
    average_months: Count
    thresholds: QualityThresholds
