"""POST /api/v1/token: a client's secret for a token, as RFC 6749 §4.4 has it; errors are in its shape, not in ours."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from homei.serve.access import tokens
from homei.serve.access.clients import Client
from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.gate import VISIT
from homei.serve.access.scopes import ANYONE, SCOPES, TOKEN, needs
from homei.serve.access.secrets import BusyError, Comparer

FORM = "application/x-www-form-urlencoded"
MOST_BYTES, MOST_FIELDS = 8192, 20
FIELDS = {
    "grant_type": {"type": "string", "enum": ["client_credentials"]},
    "scope": {"type": "string", "description": f"Of {', '.join(SCOPES)}, with spaces between; all, if absent."},
    "client_id": {"type": "string"},
    "client_secret": {"type": "string", "description": "Unless both are sent by HTTP Basic."},
}
# What else a form holds is ignored, as RFC 6749 has it, but nothing may be there twice.
BODY = {
    "type": "object",
    "properties": FIELDS,
    "required": ["grant_type"],
    "additionalProperties": {"type": "string"},
    "maxProperties": MOST_FIELDS,
}
EXAMPLE = {"grant_type": "client_credentials", "scope": "predict"}


class Token(BaseModel):
    access_token: str
    token_type: str = Field(description="Bearer")
    expires_in: int = Field(description="Seconds.")
    scope: str


class TokenRefusal(BaseModel):
    error: str = Field(description="invalid_request, invalid_client, unsupported_grant_type or invalid_scope.")
    error_description: str


class GrantError(ValueError):
    """A request for a token that is refused, by one of the names of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.status = error, status


def add_token_endpoint(app: FastAPI, keeper: Doorkeeper) -> None:
    """The route where clients get their tokens."""
    comparer = Comparer()

    @app.post(
        TOKEN,
        tags=["access"],
        responses={200: {"model": Token}} | {status: {"model": TokenRefusal} for status in (400, 401, 503)},
        openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": BODY, "example": EXAMPLE}}}},
    )
    @needs(ANYONE)
    async def token(request: Request) -> Response:
        """Exchange a client's secret for a token."""
        visit = request.scope[VISIT]
        basic = "authorization" in request.headers
        try:
            form = await _form(request)
            name, secret = _credentials(request, form)
            client = keeper.client(name)
            visit.subject = name if keeper.knows(name) else None
            # A client that isn't there costs as much time as one that is.
            if not await comparer.matches(secret, client.secret_hash if client else None):
                raise GrantError("invalid_client", "client and secret don't match", 401)
            visit.client, visit.subject = name, None
            return _answer(200, _granted(keeper, client, form))
        except GrantError as refused:
            visit.reason = refused.error
            told = {"error": refused.error, "error_description": str(refused)}
            challenge = {"WWW-Authenticate": 'Basic realm="homei"'} if refused.status == 401 and basic else {}
            return _answer(refused.status, told, challenge)
        except BusyError:
            visit.reason = "busy"
            told = {"error": "temporarily_unavailable", "error_description": "too many ask for tokens right now"}
            return _answer(503, told, {"Retry-After": "1"})


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise GrantError("invalid_request", f"the body should be {FORM}")
    body = await request.body()
    try:
        if len(body) > MOST_BYTES:
            raise ValueError
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise GrantError("invalid_request", "the body is too long or no form in UTF-8") from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise GrantError("invalid_request", "a parameter is there more than once")
    return form


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """The client's name and secret, sent by either way, but not by both."""
    given = request.headers.getlist("authorization")
    if not given:
        if not (form.get("client_id") and form.get("client_secret")):
            raise GrantError("invalid_client", "client_id and client_secret are needed", 401)
        return form["client_id"], form["client_secret"]
    if len(given) > 1 or "client_secret" in form:
        raise GrantError("invalid_request", "a client shows its secret once, in one way")
    scheme, _, encoded = given[0].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error) as error:
        raise GrantError("invalid_client", "the header authorization is no HTTP Basic", 401) from error
    if not colon or form.get("client_id", unquote_plus(name)) != unquote_plus(name):
        raise GrantError("invalid_client", "the header authorization names no client, or another one", 401)
    return unquote_plus(name), unquote_plus(secret)


def _granted(keeper: Doorkeeper, client: Client, form: dict[str, str]) -> dict[str, Any]:
    if "grant_type" not in form:
        raise GrantError("invalid_request", "grant_type is needed")
    if form["grant_type"] != "client_credentials":
        raise GrantError("unsupported_grant_type", "grant_type should be client_credentials")
    asked = frozenset(form.get("scope", "").split()) or client.scopes
    if not asked <= client.scopes:
        raise GrantError("invalid_scope", f"this client's scopes are: {' '.join(sorted(client.scopes))}")
    token = tokens.issue(keeper.keys.newest, keeper.rules, client.name, asked, time.time())
    told = {"access_token": token, "token_type": "Bearer", "expires_in": keeper.rules.token_seconds}
    return told | {"scope": " ".join(sorted(asked))}


def _answer(status: int, told: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    never_kept = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(to_json(told), status, never_kept | (headers or {}), media_type="application/json")
