"""Configuration of the stage `publish`."""

from __future__ import annotations

from pydantic import Field

from homei.config.model import ConfigModel


class PublishConfig(ConfigModel):
    """`address` names the environment variable with the warehouse's URL; `file` is SQLite's default.

    `partitions` is the number of partitions of each large table in PostgreSQL.
    """

    address: str
    file: str
    partitions: int = Field(default=4, ge=1, le=64)
