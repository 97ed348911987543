"""Cached reads of the warehouse for routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from homei.serving.cache.service import Cache, CachedBody
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Query


async def cached_read(
    cache: Cache | None, warehouse: WarehouseClient, route: str, request_key: Any, query: Query[bytes]
) -> CachedBody:
    """The result of `query`, or the cached one of an equal request.

    `request_key` is all that the result depends on besides the publication, whose row is read each time and is part of
    the cache's key: a request after a publication is answered from its data. The client is not part of the key.
    """
    if cache is None:
        return CachedBody(await warehouse.read(query))

    def cache_key(publication: Mapping[str, Any]) -> str:
        return cache.key(route, dict(publication), request_key)

    async def compute() -> tuple[str, bytes]:
        publication, body = await warehouse.read(lambda connection, row: (row, query(connection, row)))
        return cache_key(publication), body

    return await cache.answer(route, cache_key(await warehouse.read(lambda _, row: row)), compute)


def cached_response(cached: CachedBody, media_type: str = "application/json") -> Response:
    """A response with a cached body, and whether it comes from the cache (RFC 9211)."""
    headers = {"Cache-Status": cached.status} if cached.status else None
    return Response(cached.body, media_type=media_type, headers=headers)


def json_bytes(value: Any) -> bytes:
    """JSON of a response; NaN and infinity become null."""
    return to_json(value, inf_nan_mode="null")
