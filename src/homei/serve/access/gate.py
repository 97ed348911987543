"""The gate: every request's route, token, client, scope and rate, before anything else sees it; and a line afterwards.

What is counted (rates, failures, tokens that were checked) is counted by process; the service runs one.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homei.serve.access import tokens
from homei.serve.access.clients import Client
from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.routes import METHODS, Routes, Rule
from homei.serve.access.scopes import TOKEN
from homei.serve.access.tokens import Grant, InvalidTokenError
from homei.serve.access.turned import (
    TurnedAwayError,
    busy,
    insufficient,
    invalid,
    locked,
    malformed,
    too_many,
    unauthorized,
)
from homei.serve.refusal import answer
from homei.serve.request_ids import App, Message, Receive, Send, request_id

NOBODY = "unknown"
VISIT = "homei.visit"  # in the scope of a request
MOST_TOKENS = 10_000
# A line each would let anyone fill the trail: the failure that locked an address has one that says so, and a service
# that lets nobody in says why in its log.
UNRECORDED = ("locked", "unable")


@dataclass(slots=True)
class Visit:
    """What is known of a request: who asks (once that is proven), and what the trail will say of it."""

    client: str | None = None
    subject: str | None = None
    reason: str | None = None
    status: int | None = None


class Gate:
    """An ASGI app around `app` that lets through what may pass, and has the trail tell of all that was asked.

    Other apps find a request's Visit in its scope, under VISIT.
    """

    def __init__(self, app: App, keeper: Doorkeeper, routes: Routes) -> None:
        self.app = app
        self.keeper = keeper
        self._routes = routes
        self._checked: OrderedDict[bytes, Grant] = OrderedDict()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        rule = self._routes.rule(scope["method"], scope["path"])
        if rule.is_open:
            return await self.app(scope, receive, send)
        began = time.perf_counter()
        visit = Visit()
        scope[VISIT] = visit
        sending = _noting(send, visit)
        try:
            self._admit(scope, rule, visit)
            await self.app(scope, receive, sending)
        except TurnedAwayError as turned:
            visit.reason = turned.reason
            await answer(scope, turned)(scope, receive, sending)
        finally:
            self._record(scope, rule, visit, time.perf_counter() - began)
        return None

    def _admit(self, scope: Message, rule: Rule, visit: Visit) -> None:
        """Finds out who asks, and raises TurnedAwayError where he may not."""
        if not self.keeper.is_able:
            raise busy()
        if rule.template == TOKEN:
            return self._refuse_locked(scope)
        try:
            grant, client = self._authenticated(scope)
        except TurnedAwayError:
            self._refuse_locked(scope)
            raise
        visit.client = client.name
        rate = client.requests_per_second or self.keeper.rules.requests_per_second
        if seconds := self.keeper.rates.wait(client.name, rate, time.monotonic()):
            raise too_many(seconds)
        if rule.scope and rule.scope not in grant.scopes & client.scopes:
            raise insufficient(rule.scope)
        return None

    def _authenticated(self, scope: Message) -> tuple[Grant, Client]:
        """The token's grant and the client that it is of; raises TurnedAwayError for what is no good token."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        token = _token(given)
        digest = hashlib.sha256(token).digest()
        grant = self._checked.get(digest)
        if grant is None or grant.kid not in self.keeper.keys:
            # An address that failed too often is not worth a signature's time; tokens known as good still pass.
            self._refuse_locked(scope)
            grant = self._check(token, digest)
        elif grant.expires + self.keeper.rules.leeway_seconds <= time.time():
            del self._checked[digest]
            raise invalid("expired")
        client = self.keeper.client(grant.client)
        if client is None:
            raise invalid("revoked" if self.keeper.knows(grant.client) else "unknown_client")
        return grant, client

    def _check(self, token: bytes, digest: bytes) -> Grant:
        try:
            grant = tokens.check(token.decode("ascii"), self.keeper.keys, self.keeper.rules)
        except (InvalidTokenError, UnicodeDecodeError) as error:
            raise invalid(str(error) if isinstance(error, InvalidTokenError) else "malformed") from error
        self._checked[digest] = grant
        if len(self._checked) > MOST_TOKENS:
            self._checked.popitem(last=False)
        return grant

    def _refuse_locked(self, scope: Message) -> None:
        if seconds := self.keeper.lock_out.wait(_address(scope), time.monotonic()):
            raise locked(seconds)

    def _record(self, scope: Message, rule: Rule, visit: Visit, seconds: float) -> None:
        if visit.reason in UNRECORDED:
            return
        details: dict[str, Any] = {"status": visit.status, "ms": round(seconds * 1000)}
        if visit.reason:
            details["reason"] = visit.reason
        has_failed = visit.client is None and 400 <= (visit.status or 0) < 500
        if has_failed and self.keeper.lock_out.fail(_address(scope), time.monotonic()):
            details["locked_seconds"] = self.keeper.rules.lock_seconds
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        told = {"subject": visit.subject, "request_id": request_id(scope), "details": details}
        self.keeper.trail.record(visit.client or NOBODY, f"{method} {rule.template}", _outcome(visit.status), **told)


def client_of(scope: Message) -> str | None:
    """Who asks; None while that isn't proven, and where no gate is around the app."""
    visit = scope.get(VISIT)
    return visit.client if visit else None


def _token(given: list[bytes]) -> bytes:
    if not given:
        raise unauthorized()
    if len(given) > 1:
        raise malformed("is there more than once")
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise unauthorized()
    return token.strip()


def _address(scope: Message) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _noting(send: Send, visit: Visit) -> Callable[[Message], Any]:
    async def noted(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
        await send(message)

    return noted


def _outcome(status: int | None) -> str:
    if status is None:
        return "unanswered"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"
