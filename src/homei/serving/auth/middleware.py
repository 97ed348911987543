"""ASGI middleware that authorises requests before their body is read, and audits them."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homei.serving.auth import errors
from homei.serving.auth.clients import Client
from homei.serving.auth.context import AuthContext
from homei.serving.auth.errors import AuthError
from homei.serving.auth.route_access import METHODS, RouteAccess, RouteTable
from homei.serving.auth.tokens import BAD_SIGNATURE, Grant, InvalidTokenError, verify_token
from homei.serving.middleware.request_id import request_id
from homei.serving.problem_details import Problem, ProblemError, problem_response

UNKNOWN_CLIENT = "unknown"
AUTH_STATE = "homei.auth"  # key of the AuthState in an ASGI scope
MAX_VERIFIED_TOKENS = 10_000
FORWARDING_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
# Recording these would let anyone fill the trail. A lock-out is recorded with the failure that caused it, and a service
# that cannot authorise requests logs why.
UNRECORDED_REASONS = ("locked", "unable")


@dataclass(slots=True)
class AuthState:
    """What is known of a request: its client once that is proven, and what the audit trail will say of it."""

    client: str | None = None
    subject: str | None = None
    reason: str | None = None
    status: int | None = None
    is_guess: bool = False  # whether its secret or signature was wrong
    is_lock_out: bool = False  # whether this request's failure locked its address


class AuthMiddleware:
    """Passes authorised requests on to `app`, with an AuthState in their scope."""

    def __init__(self, app: ASGIApp, auth: AuthContext, routes: RouteTable) -> None:
        self.app = app
        self._auth = auth
        self._routes = routes
        self._verified: OrderedDict[bytes, Grant] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        access = self._routes.find(scope)
        if access.is_open:
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        state = scope[AUTH_STATE] = AuthState()

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                state.status = message["status"]
                # Before the client has the response: its next request must meet the lock.
                if state.is_guess:
                    state.is_lock_out = self._auth.lock_out.count_failure(_address(scope), time.monotonic())
            await send(message)

        try:
            self._authorise(scope, access, state)
            await self.app(scope, receive, send_and_note)
        except AuthError as error:
            state.reason = error.reason
            state.is_guess = error.reason == BAD_SIGNATURE
            await problem_response(scope, error)(scope, receive, send_and_note)
        finally:
            self._record(scope, access, state, time.perf_counter() - started)
        return None

    def _authorise(self, scope: Scope, access: RouteAccess, state: AuthState) -> None:
        if not self._auth.can_authorise:
            raise errors.unavailable()
        if not access.needs_token:
            return self._check_lock_out(scope)
        try:
            grant, client = self._authenticate(scope)
        except AuthError:
            self._check_lock_out(scope)
            raise
        state.client = client.name
        self._auth.charge(client)
        if access.scope and access.scope not in grant.scopes & client.scopes:
            raise errors.insufficient_scope(access.scope)
        return None

    def _authenticate(self, scope: Scope) -> tuple[Grant, Client]:
        token = _bearer_token(scope)
        digest = hashlib.sha256(token).digest()
        grant = self._verified.get(digest)
        if grant is None or grant.kid not in self._auth.keys:
            # A locked-out address costs no signature check; tokens that were verified before still pass.
            self._check_lock_out(scope)
            grant = self._verify(token, digest)
        elif grant.expires_at + self._auth.config.leeway_seconds <= time.time():
            del self._verified[digest]
            raise errors.invalid_token("expired")
        client = self._auth.active_client(grant.client)
        if client is None:
            raise errors.invalid_token("revoked" if self._auth.has_client(grant.client) else "unknown_client")
        return grant, client

    def _verify(self, token: bytes, digest: bytes) -> Grant:
        try:
            grant = verify_token(token.decode("ascii"), self._auth.keys, self._auth.config)
        except UnicodeDecodeError as error:
            raise errors.invalid_token("malformed") from error
        except InvalidTokenError as error:
            raise errors.invalid_token(str(error)) from error
        self._verified[digest] = grant
        if len(self._verified) > MAX_VERIFIED_TOKENS:
            self._verified.popitem(last=False)
        return grant

    def _check_lock_out(self, scope: Scope) -> None:
        if seconds := self._auth.lock_out.seconds_to_wait(_address(scope), time.monotonic()):
            raise errors.locked_out(seconds)

    def _record(self, scope: Scope, access: RouteAccess, state: AuthState, seconds: float) -> None:
        if state.reason in UNRECORDED_REASONS or (
            state.client is None and not state.is_lock_out and self._is_repeated(scope)
        ):
            return
        details: dict[str, Any] = {"status": state.status, "ms": round(seconds * 1000)}
        if state.reason:
            details["reason"] = state.reason
        if state.is_lock_out:
            details["locked_seconds"] = self._auth.config.lock_seconds
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._auth.trail.record(
            state.client or UNKNOWN_CLIENT,
            f"{method} {access.template}",
            _outcome(state.status),
            subject=state.subject,
            request_id=request_id(scope),
            details=details,
        )

    def _is_repeated(self, scope: Scope) -> bool:
        """Whether the address has many requests without a proven client in the trail already."""
        address, now = _address(scope), time.monotonic()
        is_repeated = self._auth.unknown_clients.seconds_to_wait(address, now) > 0
        if not is_repeated:
            self._auth.unknown_clients.count_failure(address, now)
        return is_repeated


class LoopbackOnlyMiddleware:
    """Refuses requests that do not come from this machine, in services without keys.

    The header Host shows web pages whose own name resolves to this machine (DNS rebinding), and forwarding headers show
    a proxy that other machines may reach.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (reason := _foreign_origin(scope)) is None:
            return await self.app(scope, receive, send)
        message = f"{reason}; a service without keys answers its own machine only: set HOMEI_KEYS"
        return await problem_response(scope, ProblemError(403, [Problem("host", message)]))(scope, receive, send)


def client_of(scope: Mapping[str, Any]) -> str | None:
    """The name of the client that makes a request; None in a service without authentication."""
    state = scope.get(AUTH_STATE)
    return state.client if state else None


def is_loopback(host: str) -> bool:
    """Whether other machines cannot reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _foreign_origin(scope: Scope) -> str | None:
    """Why a request may come from another machine; None if it does not."""
    server, client, headers = scope.get("server"), scope.get("client"), Headers(scope=scope)
    if server and server[1] is not None and not is_loopback(server[0]):  # a Unix socket has no port
        return "the request was sent to an address of the network"
    if client and not is_loopback(client[0]):
        return "the request comes from another machine"
    if header := next((name for name in FORWARDING_HEADERS if name in headers), None):
        return f"the request was forwarded by a proxy (header {header})"
    try:
        host = urlsplit(f"//{headers['host']}").hostname if "host" in headers else "localhost"
    except ValueError:
        host = None
    return None if host and is_loopback(host) else "the header Host names another machine"


def _bearer_token(scope: Scope) -> bytes:
    headers = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(headers) > 1:
        raise errors.repeated_header()
    scheme, _, token = headers[0].partition(b" ") if headers else (b"", b"", b"")
    if scheme.lower() != b"bearer":
        raise errors.missing_token()
    return token.strip()


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _outcome(status: int | None) -> str:
    if status is None:
        return "unanswered"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"
