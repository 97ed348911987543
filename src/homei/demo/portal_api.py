"""The portal's REST API for the simulated listings: OAuth client credentials, cursor pagination."""

from __future__ import annotations

import bisect
import datetime
import hmac
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from homei.demo.conditional_requests import with_etag

CLIENT_ID = "homei"
MAX_PAGE_SIZE = 500
Basic = Annotated[HTTPBasicCredentials | None, Depends(HTTPBasic(auto_error=False))]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]


def portal_router(records: Sequence[dict[str, Any]], client_secret: str) -> APIRouter:
    """The routes `POST /oauth/token` and `GET /api/v1/listings`; the token never expires."""
    listings = sorted(records, key=_key)
    keys = [_key(listing) for listing in listings]
    access_token = secrets.token_urlsafe(24)
    router = APIRouter()

    @router.post("/oauth/token")
    async def create_token(request: Request, basic: Basic) -> Response:
        """A token for client credentials in the form or by HTTP Basic (RFC 6749, sections 2.3.1 and 4.4)."""
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        client, secret = (
            (basic.username, basic.password) if basic else (form.get("client_id"), form.get("client_secret"))
        )
        if client != CLIENT_ID or not hmac.compare_digest(str(secret).encode(), client_secret.encode()):
            return JSONResponse({"error": "invalid_client"}, 401, {"WWW-Authenticate": 'Basic realm="portal"'})
        return JSONResponse({"access_token": access_token, "token_type": "Bearer", "expires_in": 3600})

    @router.get("/api/v1/listings")
    async def list_listings(
        request: Request,
        bearer: Bearer,
        updated_since: datetime.datetime | None = None,
        updated_until: datetime.datetime | None = None,
        cursor: str | None = None,
        limit: Limit = MAX_PAGE_SIZE,
    ) -> Response:
        """A page of the listings updated in a period (both ends included), in order of updated_at and id.

        `next` is the cursor of the next page, or null.
        """
        if bearer is None or bearer.credentials != access_token:
            raise HTTPException(401, "invalid token", {"WWW-Authenticate": "Bearer"})
        first = bisect.bisect_left(keys, (_in_utc(updated_since), "")) if updated_since else 0
        if cursor:
            first = max(first, bisect.bisect_right(keys, _position(cursor)))
        end = len(keys)
        if updated_until:
            end = bisect.bisect_right(keys, _in_utc(updated_until), key=lambda key: key[0])
        page = listings[first : min(first + limit, end)]
        following = f"{page[-1]['updated_at']} {page[-1]['id']}" if first + limit < end else None
        return with_etag(request, JSONResponse({"listings": page, "next": following}))

    return router


def _key(listing: dict[str, Any]) -> tuple[datetime.datetime, str]:
    return _in_utc(datetime.datetime.fromisoformat(listing["updated_at"])), listing["id"]


def _in_utc(time: datetime.datetime) -> datetime.datetime:
    """A time without a time zone is in UTC."""
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _position(cursor: str) -> tuple[datetime.datetime, str]:
    updated_at, _, listing_id = cursor.partition(" ")
    try:
        return _key({"updated_at": updated_at, "id": listing_id})
    except ValueError as error:
        raise HTTPException(400, f"cursor: {cursor!r} is not a cursor of this API") from error
