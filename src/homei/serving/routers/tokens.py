"""POST /api/v1/token: access tokens for clients, with parameters and errors of RFC 6749 §4.4."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from homei.serving.auth.client_secrets import BusyError
from homei.serving.auth.clients import Client
from homei.serving.auth.context import AuthContext
from homei.serving.auth.middleware import AUTH_STATE
from homei.serving.auth.route_access import NO_TOKEN, SCOPES, TOKEN_PATH
from homei.serving.auth.tokens import issue_token
from homei.serving.deps import app_state

MEDIA_TYPE = "application/x-www-form-urlencoded"
EXAMPLE = {
    "requestBody": {"content": {MEDIA_TYPE: {"example": {"grant_type": "client_credentials", "scope": "predict"}}}}
}
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenRequest(BaseModel):
    """A request for a token; RFC 6749 has further fields ignored, and none repeated."""

    model_config = ConfigDict(
        json_schema_extra={
            "additionalProperties": {"type": "string"},
            "required": ["grant_type"],
        }
    )

    grant_type: str = Field("", json_schema_extra={"enum": ["client_credentials"]})
    scope: str = Field("", description=f"Some of {', '.join(SCOPES)}, separated by spaces; all by default.")
    client_id: str = ""
    client_secret: str = Field("", description="Unless client_id and client_secret are sent by HTTP Basic.")


class Token(BaseModel):
    access_token: str
    token_type: str = Field("Bearer", description="Bearer")
    expires_in: int = Field(description="Seconds.")
    scope: str


class TokenError(BaseModel):
    error: str = Field(description="invalid_request, invalid_client, unsupported_grant_type or invalid_scope.")
    error_description: str


class OAuthError(Exception):
    """A refused request for a token; `error` is one of the codes of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, status: int = 400, retry_after: str | None = None) -> None:
        super().__init__(description)
        self.error, self.status, self.retry_after = error, status, retry_after


class OAuthRoute(APIRoute):
    """A route that checks the form before FastAPI parses it, and answers errors as RFC 6749 §5.2 says."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            try:
                await _check_form(request)
                return await handle(request)
            except RequestValidationError:
                return _error_response(request, OAuthError("invalid_request", "the form is not valid"))
            except OAuthError as error:
                return _error_response(request, error)

        return handle_form


router = APIRouter(tags=["access"], route_class=OAuthRoute)


@router.post(
    TOKEN_PATH,
    responses={status: {"model": TokenError} for status in (400, 401, 503)},
    openapi_extra=NO_TOKEN | EXAMPLE,
)
async def create_token(
    request: Request,
    response: Response,
    form: Annotated[TokenRequest, Form()],
    auth: Annotated[AuthContext, Depends(app_state("auth"))],
) -> Token:
    """Exchange a client's secret for a token."""
    client = await _authenticate(request, form, auth)
    if not form.grant_type:
        raise OAuthError("invalid_request", "grant_type is required")
    if form.grant_type != "client_credentials":
        raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials")
    scopes = frozenset(form.scope.split()) or client.scopes
    if not scopes <= client.scopes:
        raise OAuthError("invalid_scope", f"the scopes of this client are: {' '.join(sorted(client.scopes))}")
    response.headers.update(NO_STORE)
    token = issue_token(auth.keys.newest, auth.config, client.name, scopes, time.time())
    return Token(access_token=token, expires_in=auth.config.token_seconds, scope=" ".join(sorted(scopes)))


async def _authenticate(request: Request, form: TokenRequest, auth: AuthContext) -> Client:
    name, secret = _credentials(request, form)
    state = request.scope[AUTH_STATE]
    state.subject = name if auth.has_client(name) else None
    client = auth.active_client(name)
    try:
        # An unknown client takes as long as a known one.
        is_verified = await auth.secret_verifier.verify(secret, client.secret_hash if client else None)
    except BusyError as error:
        raise OAuthError("temporarily_unavailable", "too many clients request tokens", 503, retry_after="1") from error
    if client is None or not is_verified:
        state.is_guess = True
        raise OAuthError("invalid_client", "client and secret do not match", 401)
    state.client, state.subject = name, None
    return client


async def _check_form(request: Request) -> None:
    """Raises OAuthError for parameters in the URL, and for a body that is no form or has a field twice."""
    if request.url.query:
        raise OAuthError("invalid_request", "send parameters in the body, not in the URL")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise OAuthError("invalid_request", f"the body must be {MEDIA_TYPE}")
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise OAuthError("invalid_request", "the body is not UTF-8") from error
    if len(dict(pairs)) < len(pairs):
        raise OAuthError("invalid_request", "a field is there more than once")


def _credentials(request: Request, form: TokenRequest) -> tuple[str, str]:
    """The client's name and secret, from HTTP Basic or from the form, but not from both."""
    headers = request.headers.getlist("authorization")
    if not headers:
        if not (form.client_id and form.client_secret):
            raise OAuthError("invalid_client", "client_id and client_secret are required", 401)
        return form.client_id, form.client_secret
    if len(headers) > 1 or form.client_secret:
        raise OAuthError("invalid_request", "send the secret once, by HTTP Basic or in the form")
    scheme, _, encoded = headers[0].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error) as error:
        raise OAuthError("invalid_client", "the header Authorization is not HTTP Basic", 401) from error
    name, secret = unquote_plus(name), unquote_plus(secret)
    if not colon or (form.client_id or name) != name:
        raise OAuthError("invalid_client", "the header Authorization names no client, or another one", 401)
    return name, secret


def _error_response(request: Request, error: OAuthError) -> Response:
    request.scope[AUTH_STATE].reason = error.error
    headers = dict(NO_STORE)
    if error.status == 401 and "authorization" in request.headers:
        headers["WWW-Authenticate"] = 'Basic realm="homei"'
    if error.retry_after:
        headers["Retry-After"] = error.retry_after
    content = TokenError(error=error.error, error_description=str(error)).model_dump()
    return JSONResponse(content, error.status, headers)
