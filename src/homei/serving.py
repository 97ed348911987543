"""The section `serve` of params.yaml: a service's limits, who may ask it, and what it keeps of its answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homei.section import Count, Section


class Access(Section):
    issuer: str
    audience: str
    token_seconds: Count
    leeway_seconds: Annotated[int, Field(ge=0)]
    requests_per_second: Count
    failures: Count
    lock_seconds: Count


class Cache(Section):
    """Answers that are kept: the Redis that an environment variable names has them, or each service for itself."""

    address: str
    seconds: Count
    entries: Count  # in a service's own memory
    entry_bytes: Count  # of one answer: a larger one isn't kept


class Serve(Section):
    max_batch: Count
    max_body_bytes: Count
    max_batch_bytes: Count
    max_concurrency: Count
    timeout: Count
    log: bool
    access: Access
    cache: Cache
