"""How the gate turns a request away: in the service's one shape, with the headers of RFC 6750."""

from __future__ import annotations

from homei.serve.answers import BODY
from homei.serve.refusal import Problem, RequestError

REALM = 'Bearer realm="homei"'
SAID = {
    "expired": "the token has expired",
    "not_yet_valid": "the token is not valid yet",
    "wrong_audience": "the token is for another audience",
    "wrong_issuer": "the token is another issuer's",
    "revoked": "the client was revoked",
}
# Why requests are turned away, as OpenAPI tells it: at the token endpoint, and wherever a token is needed.
LOCKED = {
    408: BODY[408],
    413: BODY[413],
    429: "Too many failures came from this address; `Retry-After` says when to come back.",
    503: "Nobody can be let in for now, or too many ask at once; `Retry-After` says when to come back.",
}
TURNED_AWAY = {
    400: "The header `Authorization` is there more than once.",
    401: "There is no token, or none that is good for anything: `WWW-Authenticate` tells which.",
    403: "The token has not the scope that this needs.",
    429: "More requests than this client's rate allows, or too many failures; `Retry-After` says when to come back.",
    503: LOCKED[503],
}


class TurnedAwayError(RequestError):
    """A request that may not pass: what the answer says, and in one word what the trail says."""

    def __init__(self, status: int, reason: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(status, [Problem("authorization", message)], dict(headers))
        self.reason = reason


def unauthorized() -> TurnedAwayError:
    """Nothing that could be a token was sent; by RFC 6750 §3.1 no error is named then."""
    return TurnedAwayError(401, "no_token", "a bearer token is needed", ("WWW-Authenticate", REALM))


def invalid(reason: str) -> TurnedAwayError:
    """A token that is good for nothing. Whoever tries forged ones learns no more than that."""
    message = SAID.get(reason, "the token is not valid")
    return TurnedAwayError(401, reason, message, ("WWW-Authenticate", _challenge("invalid_token", message)))


def malformed(what: str) -> TurnedAwayError:
    message = f"the header {what}"
    return TurnedAwayError(
        400, "malformed_request", message, ("WWW-Authenticate", _challenge("invalid_request", message))
    )


def insufficient(scope: str) -> TurnedAwayError:
    message = f"this needs the scope {scope}"
    challenge = f'{_challenge("insufficient_scope", message)}, scope="{scope}"'
    return TurnedAwayError(403, "missing_scope", message, ("WWW-Authenticate", challenge))


def too_many(seconds: int) -> TurnedAwayError:
    return TurnedAwayError(429, "rate", "more requests than this client's rate allows", ("Retry-After", str(seconds)))


def locked(seconds: int) -> TurnedAwayError:
    return TurnedAwayError(429, "locked", "too many failures came from this address", ("Retry-After", str(seconds)))


def busy() -> TurnedAwayError:
    return TurnedAwayError(
        503, "unable", "keys, clients or the audit trail are out of reach for now", ("Retry-After", "5")
    )


def _challenge(error: str, description: str) -> str:
    return f'{REALM}, error="{error}", error_description="{description}"'
