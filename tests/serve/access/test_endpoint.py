"""The token endpoint, as RFC 6749 has it."""

import asyncio
import base64
import time

import jwt
import pytest

from homei.serve.access import clients, secrets

TOKEN, PRICE = "/api/v1/token", "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
GRANT = {"grant_type": "client_credentials"}


def own(place, name="boss"):
    return {"client_id": name, "client_secret": place.secrets[name]}


def basic(name, secret):
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def test_a_client_gets_a_token_by_either_way_and_asks_with_it(place):
    with place.session() as session:
        for how in ({"data": GRANT | own(place)}, {"data": GRANT, "headers": basic("boss", place.secrets["boss"])}):
            answer = session.post(TOKEN, **how)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            told = answer.json()
            assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 60, "admin predict")
            bearer = {"authorization": f"Bearer {told['access_token']}"}
            assert session.post(PRICE, json=HOME, headers=bearer).status_code == 200


def test_a_token_says_what_rfc_9068_asks_and_no_more(place):
    with place.session() as session:
        token = session.post(TOKEN, data=GRANT | own(place)).json()["access_token"]
    key = place.keeper.keys.newest
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": key.kid, "typ": "at+jwt"}
    claims = jwt.decode(token, key.public, ["EdDSA"], audience="town")
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "iat", "nbf", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 60
    assert abs(claims["iat"] - time.time()) < 5


def test_a_token_can_be_asked_for_less_than_the_client_may(place):
    with place.session() as session:
        token = session.post(TOKEN, data=GRANT | own(place) | {"scope": "admin"}).json()["access_token"]
        assert session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {token}"}).status_code == 403


FORM = {"content-type": "application/x-www-form-urlencoded"}
REFUSED = {
    "a wrong secret": (lambda p: {"data": GRANT | own(p) | {"client_secret": "guess"}}, 401, "invalid_client"),
    "a wrong secret by Basic": (lambda p: {"data": GRANT, "headers": basic("boss", "guess")}, 401, "invalid_client"),
    "an unknown client": (lambda p: {"data": GRANT | own(p) | {"client_id": "stranger"}}, 401, "invalid_client"),
    "another client's secret": (lambda p: {"data": GRANT | own(p) | {"client_id": "valuer"}}, 401, "invalid_client"),
    "no secret": (lambda p: {"data": GRANT | {"client_id": "boss"}}, 401, "invalid_client"),
    "a bearer token": (
        lambda p: {"data": GRANT, "headers": {"authorization": f"Bearer {p.token('boss', 'admin')}"}},
        401, "invalid_client"),
    "Basic that is none": (lambda p: {"data": GRANT, "headers": {"authorization": "Basic !"}}, 401, "invalid_client"),
    "another client beside Basic": (
        lambda p: {"data": GRANT | {"client_id": "valuer"}, "headers": basic("boss", p.secrets["boss"])},
        401, "invalid_client"),
    "both ways at once": (
        lambda p: {"data": GRANT | own(p), "headers": basic("boss", p.secrets["boss"])}, 400, "invalid_request"),
    "no grant_type": (lambda p: {"data": own(p)}, 400, "invalid_request"),
    "JSON": (lambda p: {"json": GRANT | own(p)}, 400, "invalid_request"),
    "a parameter twice": (
        lambda p: {"content": "grant_type=password&scope=a&scope=b", "headers": FORM}, 400, "invalid_request"),
    "bytes that are no text": (lambda p: {"content": b"grant_type=%ff", "headers": FORM}, 400, "invalid_request"),
    "a form of 9,000 letters": (lambda p: {"data": GRANT | {"x": "y" * 9000}}, 400, "invalid_request"),
    "another grant": (lambda p: {"data": own(p) | {"grant_type": "password"}}, 400, "unsupported_grant_type"),
    "a scope that it doesn't have": (
        lambda p: {"data": GRANT | own(p) | {"scope": "predict feedback"}}, 400, "invalid_scope"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_for_a_token_is_refused_for(place, name):
    make, status, error = REFUSED[name]
    with place.session() as session:
        request = make(place)
        answer = session.post(TOKEN, **request)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    # RFC 6749 §5.2: a client that tried by a header is answered with the scheme it tried.
    assert ("www-authenticate" in answer.headers) == (status == 401 and "authorization" in request.get("headers", {}))


def test_a_revoked_client_gets_no_token(place):
    place.add("quitter", "predict")
    clients.revoke(place.engine, place.apart, "quitter")
    place.until(lambda: place.keeper.client("quitter") is None)
    with place.session() as session:
        assert session.post(TOKEN, data=GRANT | own(place, "quitter")).status_code == 401


def test_a_client_that_is_not_there_costs_the_same_comparison(place, monkeypatch):
    compared = []
    verify = secrets.HASHER.verify

    def noting(_, known, secret):
        compared.append(known)
        return verify(known, secret)

    monkeypatch.setattr(type(secrets.HASHER), "verify", noting)
    with place.session() as session:
        session.post(TOKEN, data=GRANT | {"client_id": "stranger", "client_secret": "guess"})
        session.post(TOKEN, data=GRANT | own(place) | {"client_secret": "guess"})
    assert len(compared) == 2
    assert all(known.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for known in compared)


def test_nothing_matches_a_client_that_is_not_there_not_even_the_secret_that_is_compared_instead(monkeypatch):
    monkeypatch.setattr(secrets, "new_secret", lambda: "nobody's")
    comparer = secrets.Comparer()
    assert not asyncio.run(comparer.matches("nobody's", None))
    assert asyncio.run(comparer.matches("own", secrets.hashed("own")))


def test_more_than_can_be_compared_are_told_to_come_again(place, monkeypatch):
    monkeypatch.setattr(secrets, "MOST_WAITING", 0)
    with place.session() as session:
        answer = session.post(TOKEN, data=GRANT | own(place))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_trail_names_a_client_once_it_is_proven_and_never_what_a_stranger_typed(place):
    sent = {"right": own(place), "wrong": own(place) | {"client_secret": "x"}}
    sent |= {"strange": {"client_id": "anna@example.com", "client_secret": "x"}}
    with place.session() as session:
        for request_id, given in sent.items():
            session.post(TOKEN, data=GRANT | given, headers={"x-request-id": request_id})
    told = {request_id: (line["actor"], line["subject"]) for request_id in sent if (line := place.line(request_id))}
    assert told == {"right": ("boss", None), "wrong": ("unknown", "boss"), "strange": ("unknown", None)}
