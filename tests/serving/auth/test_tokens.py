"""Tokens over HTTP: each way in which a token can be invalid, and the response to it."""

import base64
import json
import time

import jwt
import pytest
from authenticated_service import FakeClock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm

from homei.serving.auth import clients, middleware

PRICE = "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


def encoded(part) -> str:
    return (
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()
    )


def claims(**changes):
    now = int(time.time())
    whole = {"iss": "homei", "aud": "town", "sub": "valuer", "scope": "predict", "iat": now, "nbf": now}
    whole |= {"exp": now + 60, "jti": "1"}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def header(service, **changes):
    whole = {"alg": "EdDSA", "kid": service.auth.keys.newest.kid, "typ": "at+jwt"} | changes
    return {name: value for name, value in whole.items() if value is not None}


def signed(service, given=None, key=None, **changes):
    """A token of any claims and any header, signed with Ed25519 whatever its header says."""
    key = key or service.auth.keys.newest.private
    text = f"{encoded(header(service, **changes))}.{encoded(given or claims())}"
    return f"{text}.{encoded(key.sign(text.encode()))}"


def by_hmac(service, kind, form):
    secret = service.auth.keys.newest.public.public_bytes(kind, form)
    text = f"{encoded(header(service, alg='HS256'))}.{encoded(claims())}"
    return f"{text}.{encoded(HMACAlgorithm(HMACAlgorithm.SHA256).sign(text.encode(), secret))}"


def by_hmac_with_pem(service):
    return by_hmac(service, serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def by_hmac_with_bytes(service):
    return by_hmac(service, serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def by_rsa(service):
    key = generate_private_key(65537, 2048)
    return jwt.encode(claims(), key, algorithm="RS256", headers=header(service, alg="RS256"))


def with_own_key(service):
    key = Ed25519PrivateKey.generate()
    described = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
    return signed(service, key=key, jwk=described, jku="https://evil.example/keys")


def with_part(service, number, change):
    parts = signed(service).split(".")
    parts[number] = change(parts[number])
    return ".".join(parts)


def other_middle(part):
    return part[:40] + ("B" if part[40] == "A" else "A") + part[41:]


def more_scope(part):
    return encoded(json.loads(base64.urlsafe_b64decode(part + "==")) | {"scope": "predict admin"})


def revoked(service):
    service.add_client("gone", "predict")
    token = service.token("gone", "predict")
    clients.revoke_client(service.engine, service.audit_folder, "gone")
    service.wait_until(lambda: service.auth.active_client("gone") is None)
    return token


def now_and(seconds):
    return int(time.time()) + seconds


INVALID = (401, "invalid_token")
SCOPE = (403, "insufficient_scope")
# A function that makes the token; status and error of RFC 6750; the reason in the audit trail.
CASES = {
    "an empty token": (lambda p: "", INVALID, "malformed"),
    "no JWT at all": (lambda p: "let-me-in", INVALID, "malformed"),
    "two parts of three": (lambda p: signed(p).rpartition(".")[0], INVALID, "malformed"),
    "bytes that are no text": (lambda p: b"\xff\xfe", INVALID, "malformed"),
    "a token of 5,000 letters": (lambda p: signed(p, claims(pad="x" * 5000)), INVALID, "too_long"),
    "a header a thousand lists deep": (lambda p: f"{encoded(b'[' * 2000)}.e30.e30", INVALID, "malformed"),
    "a header that is no object": (lambda p: f"{encoded([1])}.e30.e30", INVALID, "malformed"),
    "claims that are no object": (lambda p: signed(p, [1]), INVALID, "malformed"),
    "an expiry beyond all numbers": (lambda p: signed(p, claims(exp=float("inf"))), INVALID, "malformed"),
    "a client that is a number": (lambda p: signed(p, claims(sub=7)), INVALID, "malformed"),
    "algorithm none, unsigned": (
        lambda p: f"{encoded(header(p, alg='none'))}.{encoded(claims())}.", INVALID, "wrong_algorithm"),
    "algorithm None, signed": (lambda p: signed(p, alg="None"), INVALID, "wrong_algorithm"),
    "no algorithm": (lambda p: signed(p, alg=None), INVALID, "wrong_algorithm"),
    "HMAC with the public key in PEM": (by_hmac_with_pem, INVALID, "wrong_algorithm"),
    "HMAC with the public key in bytes": (by_hmac_with_bytes, INVALID, "wrong_algorithm"),
    "RSA under the name of our key": (by_rsa, INVALID, "wrong_algorithm"),
    "another key under the name of ours": (
        lambda p: signed(p, key=Ed25519PrivateKey.generate()), INVALID, "bad_signature"),
    "a key that the token brings along": (with_own_key, INVALID, "bad_signature"),
    "a changed claim": (lambda p: with_part(p, 1, more_scope), INVALID, "bad_signature"),
    "a changed signature": (lambda p: with_part(p, 2, other_middle), INVALID, "bad_signature"),
    "no signature": (lambda p: with_part(p, 2, lambda s: ""), INVALID, "bad_signature"),
    "an unknown kid": (lambda p: signed(p, kid="another"), INVALID, "unknown_key"),
    "no kid": (lambda p: signed(p, kid=None), INVALID, "unknown_key"),
    "a kid that is a path": (lambda p: signed(p, kid="../keys/x"), INVALID, "unknown_key"),
    "a kid that is a number": (lambda p: signed(p, kid=1), INVALID, "malformed"),
    "another type of JWT": (lambda p: signed(p, typ="JWT"), INVALID, "wrong_type"),
    "an extension that must be understood": (lambda p: signed(p, crit=["exp"], exp=1), INVALID, "malformed"),
    "an extension that PyJWT understands": (
        lambda p: signed(p, crit=["b64"], b64=True), INVALID, "unknown_extension"),
    "expired": (lambda p: signed(p, claims(iat=now_and(-60), nbf=now_and(-60), exp=now_and(-2))), INVALID, "expired"),
    "not yet valid": (lambda p: signed(p, claims(nbf=now_and(30))), INVALID, "not_yet_valid"),
    "issued later than now": (lambda p: signed(p, claims(iat=now_and(30))), INVALID, "not_yet_valid"),
    "a life longer than any token's": (lambda p: signed(p, claims(exp=now_and(999_999))), INVALID, "lives_too_long"),
    "an expiry that is text": (lambda p: signed(p, claims(exp="never")), INVALID, "malformed"),
    "another audience": (lambda p: signed(p, claims(aud="village")), INVALID, "wrong_audience"),
    "ours among other audiences": (lambda p: signed(p, claims(aud=["town", "village"])), INVALID, "wrong_audience"),
    "another issuer": (lambda p: signed(p, claims(iss="homey")), INVALID, "wrong_issuer"),
    **{
        f"no {name}": (lambda p, name=name: signed(p, claims(**{name: None})), INVALID, "missing_claim")
        for name in ("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope")
    },
    "scopes in a list": (lambda p: signed(p, claims(scope=["predict"])), INVALID, "malformed"),
    "a client that there never was": (lambda p: signed(p, claims(sub="stranger")), INVALID, "unknown_client"),
    "a revoked client": (revoked, INVALID, "revoked"),
    "a scope too few": (lambda p: p.token("analyst", "analytics"), SCOPE, "missing_scope"),
    "no scope at all": (lambda p: signed(p, claims(scope="")), SCOPE, "missing_scope"),
    "a scope that the client lacks": (lambda p: p.token("analyst", "predict", "analytics"), SCOPE, "missing_scope"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_token_is_refused_if_it_is(service, name):
    make, (status, error), reason = CASES[name]
    request_id = "".join(letter if letter.isalnum() else "-" for letter in name)
    token = make(service)
    bearer = (b"Bearer " + (token if isinstance(token, bytes) else token.encode())).rstrip()
    with service.session() as session:
        answer = session.post(PRICE, json=HOME, headers={"authorization": bearer, "x-request-id": request_id})
    assert answer.status_code == status
    assert f'Bearer realm="homei", error="{error}"' in answer.headers["www-authenticate"]
    assert answer.json()["errors"][0]["field"] == "authorization"
    line = service.audit_row(request_id)
    assert line["details"]["reason"] == reason
    assert line["outcome"] == "refused"
    assert (line["actor"] == "unknown") == (status == 401)


def test_the_same_claims_with_the_right_signature_are_accepted(service):
    for given in (claims(), claims(exp=now_and(0), iat=now_and(-30), nbf=now_and(-30))):
        with service.session(signed(service, given)) as session:
            assert session.post(PRICE, json=HOME).status_code == 200


def test_the_challenge_names_no_error_without_a_token(service):
    for headers in ({}, {"authorization": "Basic dmFsdWVyOng="}, {"authorization": "bearerx y"}):
        with service.session() as session:
            answer = session.post(PRICE, json=HOME, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="homei"'


def test_a_token_in_query_or_body_is_ignored(service):
    token = service.token("valuer", "predict")
    with service.session() as session:
        assert session.post(f"{PRICE}?access_token={token}", json=HOME).status_code == 401
        assert session.post(PRICE, data={"access_token": token}).status_code == 401


def test_two_authorization_headers_are_a_bad_request(service):
    good = ("authorization", f"Bearer {service.token('valuer', 'predict')}")
    with service.session() as session:
        answer = session.post(PRICE, json=HOME, headers=[good, good])
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


def test_a_verified_token_is_refused_after_it_expires(service, monkeypatch):
    with service.session(signed(service, claims())) as session:
        assert session.post(PRICE, json=HOME).status_code == 200
        seconds = service.auth.config.token_seconds + service.auth.config.leeway_seconds
        monkeypatch.setattr(middleware, "time", FakeClock(seconds))
        refused = session.post(PRICE, json=HOME)
    assert refused.status_code == 401
    assert "expired" in refused.headers["www-authenticate"]
