"""The portal's REST API over the simulated listings: OAuth client credentials, pages by cursor, ETags."""

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
MOST = 500  # listings a page
Query = Mapping[str, str]


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


class RefusedError(ValueError):
    """A parameter that the API can't use."""


class PortalApi:
    """Answers for `POST /oauth/token` and `GET /api/v1/listings`; the token is good as long as the object lives."""

    def __init__(self, listings: Sequence[dict[str, Any]], secret: str) -> None:
        keyed = [((_moment(one["updated_at"], "updated_at"), one["id"]), one) for one in listings]
        keyed.sort(key=lambda pair: pair[0])
        self._keys = [key for key, _ in keyed]
        self._listings = [one for _, one in keyed]
        self._secret = secret
        self._token = secrets.token_urlsafe(24)

    def token(self, form: bytes, authorization: str | None) -> Answer:
        """A token for who knows the secret, told in the form or by HTTP Basic (RFC 6749, section 2.3.1 and 4.4)."""
        told = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        if told.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type"})
        client, secret = _basic(authorization) or (told.get("client_id", ""), told.get("client_secret", ""))
        known = client == CLIENT_ID and hmac.compare_digest(secret.encode(), self._secret.encode())
        if not known:
            return _json(401, {"error": "invalid_client"}, {"WWW-Authenticate": 'Basic realm="portal"'})
        grant = {"access_token": self._token, "token_type": "Bearer", "expires_in": 3600}
        return _json(200, grant, {"Cache-Control": "no-store"})

    def listings(self, query: Query, authorization: str | None) -> Answer:
        """A page of the listings that were updated in a span (both ends included), in order of updated_at and id.

        The answer's `next` is the cursor of the page that follows, or null.
        """
        if not hmac.compare_digest((authorization or "").encode(), f"Bearer {self._token}".encode()):
            return _json(401, {"error": "invalid_token"}, {"WWW-Authenticate": "Bearer"})
        try:
            first, end, limit = self._first(query), self._end(query), _limit(query)
        except RefusedError as error:
            return _json(400, {"error": str(error)})
        page = self._listings[first : min(first + limit, end)]
        more = first + limit < end
        return _json(200, {"listings": page, "next": _cursor(page[-1]) if more else None})

    def _first(self, query: Query) -> int:
        start = 0
        if "updated_since" in query:
            start = bisect.bisect_left(self._keys, (_moment(query["updated_since"], "updated_since"), ""))
        if "cursor" in query:
            start = max(start, bisect.bisect_right(self._keys, _position(query["cursor"])))
        return start

    def _end(self, query: Query) -> int:
        if "updated_until" not in query:
            return len(self._keys)
        until = _moment(query["updated_until"], "updated_until")
        return bisect.bisect_right(self._keys, until, key=lambda key: key[0])


def entity_tag(body: bytes) -> str:
    """A strong ETag: the same for the same bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", headers or {}
    )


def _cursor(listing: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(f"{listing['updated_at']} {listing['id']}".encode()).decode()


def _position(cursor: str) -> tuple[datetime.datetime, str]:
    try:
        told = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
        updated_at, _, listing = told.partition(" ")
        return _moment(updated_at, "cursor"), listing
    except ValueError as error:
        raise RefusedError(f"cursor: {cursor!r} is none of ours") from error


def _moment(text: str, name: str) -> datetime.datetime:
    """A time as ISO 8601 has it, in UTC unless it says otherwise."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(f"{name}: {text!r} is no time such as 2025-03-04T09:12:33Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _limit(query: Query) -> int:
    told = query.get("limit", str(MOST))
    if not told.isascii() or not told.isdigit() or not 1 <= int(told) <= MOST:
        raise RefusedError(f"limit: {told!r} is not between 1 and {MOST}")
    return int(told)


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if authorization is None or not authorization.startswith("Basic "):
        return None
    try:
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client, secret
