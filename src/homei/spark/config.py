"""Configuration of the Spark session."""

from __future__ import annotations

from homei.config.model import ConfigModel, Count


class SparkConfig(ConfigModel):
    master: str | None
    master_env: str | None
    driver_memory: str
    shuffle_partitions: Count
