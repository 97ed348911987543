"""Configuration of the stage `publish`."""

from __future__ import annotations

from homei.config.model import ConfigModel


class PublishConfig(ConfigModel):
    """`address` names the environment variable with the warehouse's URL; `file` is SQLite's default."""

    address: str
    file: str
