"""What a token must be: each way in which one may be wrong, over HTTP through the whole service."""

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm

from homei.serve.access import clients

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


def header(place, **changes):
    whole = {"alg": "EdDSA", "kid": place.keeper.keys.newest.kid, "typ": "at+jwt"} | changes
    return {name: value for name, value in whole.items() if value is not None}


def signed(place, given=None, key=None, **changes):
    """A token of any claims and any header, signed with Ed25519 whatever its header says."""
    key = key or place.keeper.keys.newest.private
    text = f"{encoded(header(place, **changes))}.{encoded(given or claims())}"
    return f"{text}.{encoded(key.sign(text.encode()))}"


def by_hmac(place, kind, form):
    secret = place.keeper.keys.newest.public.public_bytes(kind, form)
    text = f"{encoded(header(place, alg='HS256'))}.{encoded(claims())}"
    return f"{text}.{encoded(HMACAlgorithm(HMACAlgorithm.SHA256).sign(text.encode(), secret))}"


def by_hmac_with_pem(place):
    return by_hmac(place, serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def by_hmac_with_bytes(place):
    return by_hmac(place, serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def by_rsa(place):
    key = generate_private_key(65537, 2048)
    return jwt.encode(claims(), key, algorithm="RS256", headers=header(place, alg="RS256"))


def with_own_key(place):
    key = Ed25519PrivateKey.generate()
    described = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
    return signed(place, key=key, jwk=described, jku="https://evil.example/keys")


def with_part(place, number, change):
    parts = signed(place).split(".")
    parts[number] = change(parts[number])
    return ".".join(parts)


def other_middle(part):
    return part[:40] + ("B" if part[40] == "A" else "A") + part[41:]


def more_scope(part):
    return encoded(json.loads(base64.urlsafe_b64decode(part + "==")) | {"scope": "predict admin"})


def revoked(place):
    place.add("gone", "predict")
    token = place.token("gone", "predict")
    clients.revoke(place.engine, place.apart, "gone")
    place.until(lambda: place.keeper.client("gone") is None)
    return token


def now_and(seconds):
    return int(time.time()) + seconds


INVALID = (401, "invalid_token")
SCOPE = (403, "insufficient_scope")
# What makes the token, the status and RFC 6750's error, and what the trail says.
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
def test_a_token_is_refused_for(place, name):
    make, (status, error), reason = CASES[name]
    request_id = "".join(letter if letter.isalnum() else "-" for letter in name)
    token = make(place)
    bearer = (b"Bearer " + (token if isinstance(token, bytes) else token.encode())).rstrip()
    with place.session() as session:
        answer = session.post(PRICE, json=HOME, headers={"authorization": bearer, "x-request-id": request_id})
    assert answer.status_code == status
    assert f'Bearer realm="homei", error="{error}"' in answer.headers["www-authenticate"]
    assert answer.json()["errors"][0]["field"] == "authorization"
    line = place.line(request_id)
    assert line["details"]["reason"] == reason
    assert line["outcome"] == "refused"
    assert (line["actor"] == "unknown") == (status == 401)


def test_the_same_claims_signed_by_the_right_key_are_good(place):
    for given in (claims(), claims(exp=now_and(0), iat=now_and(-30), nbf=now_and(-30))):
        with place.session(signed(place, given)) as session:
            assert session.post(PRICE, json=HOME).status_code == 200


def test_without_a_token_no_error_is_named(place):
    for headers in ({}, {"authorization": "Basic dmFsdWVyOng="}, {"authorization": "bearerx y"}):
        with place.session() as session:
            answer = session.post(PRICE, json=HOME, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="homei"'


def test_a_token_in_the_query_or_in_the_body_counts_for_nothing(place):
    token = place.token("valuer", "predict")
    with place.session() as session:
        assert session.post(f"{PRICE}?access_token={token}", json=HOME).status_code == 401
        assert session.post(PRICE, data={"access_token": token}).status_code == 401


def test_two_tokens_at_once_are_one_too_many(place):
    good = ("authorization", f"Bearer {place.token('valuer', 'predict')}")
    with place.session() as session:
        answer = session.post(PRICE, json=HOME, headers=[good, good])
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


def test_a_token_that_expires_while_it_is_remembered_is_refused(place):
    token = signed(place, claims(exp=now_and(1), iat=now_and(-50), nbf=now_and(-50)))
    with place.session(token) as session:
        assert session.post(PRICE, json=HOME).status_code == 200
        time.sleep(2.1)
        refused = session.post(PRICE, json=HOME)
    assert refused.status_code == 401
    assert "expired" in refused.headers["www-authenticate"]
