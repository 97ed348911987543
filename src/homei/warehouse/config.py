"""Configuration of the stage `publish`."""

from __future__ import annotations

from homei.config.model import ConfigModel


class PublishConfig(ConfigModel):
    """Where the warehouse is: `address` names an environment variable with its URL, `file` is SQLite's default."""

    address: str
    file: str
