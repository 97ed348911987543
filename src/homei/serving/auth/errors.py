"""Responses to requests that are not authorised: problem details, with the headers of RFC 6750."""

from __future__ import annotations

from homei.serving.problem_details import Problem, ProblemError

REALM = 'Bearer realm="homei"'
MESSAGES = {
    "expired": "the token has expired",
    "not_yet_valid": "the token is not valid yet",
    "wrong_audience": "the token is for another audience",
    "wrong_issuer": "the token is from another issuer",
    "revoked": "the client was revoked",
}


class AuthError(ProblemError):
    """A request that is refused; `reason` is the word for it in the audit trail."""

    def __init__(self, status: int, reason: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(status, [Problem("authorization", message)], dict(headers))
        self.reason = reason


def missing_token() -> AuthError:
    """By RFC 6750 §3.1, the challenge names no error if no token was sent."""
    return AuthError(401, "no_token", "a bearer token is needed", ("WWW-Authenticate", REALM))


def invalid_token(reason: str) -> AuthError:
    """A token that is not accepted; forgeries do not get to know why."""
    message = MESSAGES.get(reason, "the token is not valid")
    return AuthError(401, reason, message, ("WWW-Authenticate", _challenge("invalid_token", message)))


def repeated_header() -> AuthError:
    message = "the header is there more than once"
    return AuthError(400, "malformed_request", message, ("WWW-Authenticate", _challenge("invalid_request", message)))


def insufficient_scope(scope: str) -> AuthError:
    message = f"this needs the scope {scope}"
    challenge = f'{_challenge("insufficient_scope", message)}, scope="{scope}"'
    return AuthError(403, "missing_scope", message, ("WWW-Authenticate", challenge))


def rate_exceeded(seconds: int) -> AuthError:
    return AuthError(429, "rate", "more requests than this client's rate allows", ("Retry-After", str(seconds)))


def locked_out(seconds: int) -> AuthError:
    return AuthError(429, "locked", "too many failed attempts from this address", ("Retry-After", str(seconds)))


def unavailable() -> AuthError:
    message = "keys, clients or the audit trail cannot be reached now"
    return AuthError(503, "unable", message, ("Retry-After", "5"))


def _challenge(error: str, description: str) -> str:
    return f'{REALM}, error="{error}", error_description="{description}"'
