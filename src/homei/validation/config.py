"""Configuration of the stage `validate`."""

from __future__ import annotations

from homei.config.model import ConfigModel, Share


class ValidateConfig(ConfigModel):
    max_rejected_share: Share
