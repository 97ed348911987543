"""The portal's REST API for the simulated listings: OAuth client credentials, cursor pagination, ETags."""

from __future__ import annotations

import base64
import binascii
import bisect
import datetime
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs

CLIENT_ID = "homei"
MAX_PAGE_SIZE = 500
Query = Mapping[str, str]


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


class InvalidParameterError(ValueError):
    """A request parameter is invalid."""


class PortalApi:
    """Responses to `POST /oauth/token` and `GET /api/v1/listings`; the token never expires."""

    def __init__(self, listings: Sequence[dict[str, Any]], secret: str) -> None:
        keyed = [((_parse_time(listing["updated_at"], "updated_at"), listing["id"]), listing) for listing in listings]
        keyed.sort(key=lambda pair: pair[0])
        self._keys = [key for key, _ in keyed]
        self._listings = [listing for _, listing in keyed]
        self._secret = secret
        self._token = secrets.token_urlsafe(24)

    def token(self, form: bytes, authorization: str | None) -> Response:
        """A token for client credentials in the form or by HTTP Basic (RFC 6749, sections 2.3.1 and 4.4)."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        if fields.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type"})
        client, secret = _basic(authorization) or (fields.get("client_id", ""), fields.get("client_secret", ""))
        is_valid = client == CLIENT_ID and hmac.compare_digest(secret.encode(), self._secret.encode())
        if not is_valid:
            return _json(401, {"error": "invalid_client"}, {"WWW-Authenticate": 'Basic realm="portal"'})
        grant = {"access_token": self._token, "token_type": "Bearer", "expires_in": 3600}
        return _json(200, grant, {"Cache-Control": "no-store"})

    def listings(self, query: Query, authorization: str | None) -> Response:
        """A page of the listings updated in a period (both ends included), in order of updated_at and id.

        `next` is the cursor of the next page, or null.
        """
        if not hmac.compare_digest((authorization or "").encode(), f"Bearer {self._token}".encode()):
            return _json(401, {"error": "invalid_token"}, {"WWW-Authenticate": "Bearer"})
        try:
            first, end, limit = self._first(query), self._end(query), _limit(query)
        except InvalidParameterError as error:
            return _json(400, {"error": str(error)})
        page = self._listings[first : min(first + limit, end)]
        has_more = first + limit < end
        return _json(200, {"listings": page, "next": _cursor(page[-1]) if has_more else None})

    def _first(self, query: Query) -> int:
        start = 0
        if "updated_since" in query:
            start = bisect.bisect_left(self._keys, (_parse_time(query["updated_since"], "updated_since"), ""))
        if "cursor" in query:
            start = max(start, bisect.bisect_right(self._keys, _position(query["cursor"])))
        return start

    def _end(self, query: Query) -> int:
        if "updated_until" not in query:
            return len(self._keys)
        until = _parse_time(query["updated_until"], "updated_until")
        return bisect.bisect_right(self._keys, until, key=lambda key: key[0])


def entity_tag(body: bytes) -> str:
    """A strong ETag: a hash of the body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", headers or {}
    )


def _cursor(listing: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(f"{listing['updated_at']} {listing['id']}".encode()).decode()


def _position(cursor: str) -> tuple[datetime.datetime, str]:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
        updated_at, _, listing = text.partition(" ")
        return _parse_time(updated_at, "cursor"), listing
    except ValueError as error:
        raise InvalidParameterError(f"cursor: {cursor!r} is not a cursor of this API") from error


def _parse_time(text: str, name: str) -> datetime.datetime:
    """A time in ISO 8601; without a time zone it is in UTC."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidParameterError(f"{name}: {text!r} is not a time such as 2025-03-04T09:12:33Z") from error
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _limit(query: Query) -> int:
    limit = query.get("limit", str(MAX_PAGE_SIZE))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        raise InvalidParameterError(f"limit: {limit!r} is not between 1 and {MAX_PAGE_SIZE}")
    return int(limit)


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if authorization is None or not authorization.startswith("Basic "):
        return None
    try:
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client, secret
