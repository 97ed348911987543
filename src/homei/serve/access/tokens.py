"""Access tokens: JWTs as RFC 9068 describes them, made and checked."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from homei.serve.access.keys import Key, Keyring
from homei.serving import Access

TYPE = "at+jwt"
CLAIMS = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope"]
MOST_CHARACTERS = 4096
# What PyJWT raises, from the special to the general, and how answers and the audit trail call it.
REASONS: dict[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "not_yet_valid",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.InvalidSignatureError: "bad_signature",
    jwt.InvalidAlgorithmError: "wrong_algorithm",
    jwt.MissingRequiredClaimError: "missing_claim",
    jwt.InvalidTokenError: "malformed",
}


class InvalidTokenError(ValueError):
    """A token that is good for nothing; the message is one word that says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that was checked allows whom, until when (seconds since 1970), and which key signed it."""

    client: str
    scopes: frozenset[str]
    expires: float
    kid: str


def issue(key: Key, rules: Access, client: str, scopes: Iterable[str], now: float) -> str:
    """A signed token for a client, good from `now` on for `rules.token_seconds`."""
    claims = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": client,
        "client_id": client,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + rules.token_seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, "typ": TYPE})


def check(token: str, keys: Keyring, rules: Access) -> Grant:
    """What a token allows; raises InvalidTokenError unless each of its parts is as `issue` makes it."""
    if len(token) > MOST_CHARACTERS:
        raise InvalidTokenError("too_long")
    try:
        key = _key(jwt.get_unverified_header(token), keys)
        claims = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],  # the key's own: what the token calls its algorithm chooses nothing
            audience=rules.audience,
            issuer=rules.issuer,
            leeway=rules.leeway_seconds,
            options={"require": CLAIMS, "strict_aud": True},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError(next(REASONS[kind] for kind in REASONS if isinstance(error, kind))) from error
    return _grant(claims, key, rules)


def _key(header: dict[str, Any], keys: Keyring) -> Key:
    if header.get("typ") != TYPE:
        raise InvalidTokenError("wrong_type")
    if "crit" in header:  # extensions that must be understood, of which there are none here
        raise InvalidTokenError("unknown_extension")
    key = keys.get(header.get("kid", ""))
    if key is None:
        raise InvalidTokenError("unknown_key")
    return key


def _grant(claims: dict[str, Any], key: Key, rules: Access) -> Grant:
    if not isinstance(claims["scope"], str):
        raise InvalidTokenError("malformed")
    if claims["exp"] - claims["iat"] > rules.token_seconds:
        raise InvalidTokenError("lives_too_long")
    return Grant(claims["sub"], frozenset(claims["scope"].split()), float(claims["exp"]), key.kid)
