"""The section `serve` of params.yaml: limits, authentication, cache and prediction log of the service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.config.model import ConfigModel, Count


class AccessConfig(ConfigModel):
    issuer: str
    audience: str
    token_seconds: Count
    leeway_seconds: Annotated[int, Field(ge=0)]
    requests_per_second: Count
    failures: Count
    lock_seconds: Count


class CacheConfig(ConfigModel):
    """The cache of responses: in the Redis that the environment variable `address` names, else in memory."""

    address: str
    seconds: Count
    entries: Count  # in memory
    entry_bytes: Count  # larger responses are not cached


class ServeConfig(ConfigModel):
    max_batch: Count
    max_body_bytes: Count
    max_batch_bytes: Count
    max_concurrency: Count
    timeout: Count
    log: bool
    access: AccessConfig
    cache: CacheConfig
