"""Access tokens: signed JWTs with the claims of RFC 9068."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from homei.serving.auth.signing_keys import Keyring, SigningKey
from homei.serving.config import AccessConfig

TYPE = "at+jwt"
CLAIMS = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope"]
MAX_CHARACTERS = 4096
BAD_SIGNATURE = "bad_signature"
# PyJWT's errors, from the special to the general, and the reasons in responses and the audit trail.
REASONS: dict[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "not_yet_valid",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.InvalidSignatureError: BAD_SIGNATURE,
    jwt.InvalidAlgorithmError: "wrong_algorithm",
    jwt.MissingRequiredClaimError: "missing_claim",
    jwt.InvalidTokenError: "malformed",
}


class InvalidTokenError(ValueError):
    """A token that is not accepted; the message is its reason in one word."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The content of a verified token; `expires_at` in seconds since 1970."""

    client: str
    scopes: frozenset[str]
    expires_at: float
    kid: str


def issue_token(key: SigningKey, config: AccessConfig, client: str, scopes: Iterable[str], now: float) -> str:
    """A signed token that is valid for `config.token_seconds`."""
    claims = {
        "iss": config.issuer,
        "aud": config.audience,
        "sub": client,
        "client_id": client,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + config.token_seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, "typ": TYPE})


def verify_token(token: str, keys: Keyring, config: AccessConfig) -> Grant:
    """The grant of a token; raises InvalidTokenError unless it is as `issue_token` makes it."""
    if len(token) > MAX_CHARACTERS:
        raise InvalidTokenError("too_long")
    try:
        key = _key(jwt.get_unverified_header(token), keys)
        claims = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],  # the key's own, whatever the token's header names
            audience=config.audience,
            issuer=config.issuer,
            leeway=config.leeway_seconds,
            options={"require": CLAIMS, "strict_aud": True},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError(next(REASONS[kind] for kind in REASONS if isinstance(error, kind))) from error
    if not isinstance(claims["scope"], str):
        raise InvalidTokenError("malformed")
    if claims["exp"] - claims["iat"] > config.token_seconds:
        raise InvalidTokenError("lives_too_long")
    return Grant(claims["sub"], frozenset(claims["scope"].split()), float(claims["exp"]), key.kid)


def _key(header: dict[str, Any], keys: Keyring) -> SigningKey:
    if header.get("typ") != TYPE:
        raise InvalidTokenError("wrong_type")
    if "crit" in header:  # extensions that a verifier must understand; none is used here
        raise InvalidTokenError("unknown_extension")
    key = keys.get(header.get("kid", ""))
    if key is None:
        raise InvalidTokenError("unknown_key")
    return key
