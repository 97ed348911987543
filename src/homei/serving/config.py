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
    rows_per_request: Count  # rows of a batch that count as one request
    max_failures: Count
    lock_seconds: Count


class CacheConfig(ConfigModel):
    """The cache of responses: in the Redis that the variable `address_variable` names, else in memory."""

    address_variable: str
    expire_seconds: Count
    max_entries: Count  # in memory
    max_entry_bytes: Count  # larger responses are not cached


class ServeConfig(ConfigModel):
    max_batch_rows: Count
    max_body_bytes: Count
    max_batch_bytes: Count
    max_concurrency: Count
    max_batches: Count  # answered at a time
    max_bytes_in_flight: Count  # of all bodies that are being read or answered
    timeout_seconds: Count
    store_predictions: bool
    access: AccessConfig
    cache: CacheConfig
