"""The token endpoint follows RFC 6749."""

import asyncio
import base64
import socket
import time
from urllib.parse import urlsplit

import jwt
import pytest

from homei.serving.auth import client_secrets, clients

TOKEN, PRICE = "/api/v1/token", "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
GRANT = {"grant_type": "client_credentials"}


def own(service, name="boss"):
    return {"client_id": name, "client_secret": service.secrets[name]}


def basic(name, secret):
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def test_a_client_gets_a_token_by_form_or_http_basic_and_can_use_it(service):
    with service.session() as session:
        for how in ({"data": GRANT | own(service)}, {"data": GRANT, "headers": basic("boss", service.secrets["boss"])}):
            answer = session.post(TOKEN, **how)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            told = answer.json()
            assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 60, "admin predict")
            bearer = {"authorization": f"Bearer {told['access_token']}"}
            assert session.post(PRICE, json=HOME, headers=bearer).status_code == 200


def test_a_token_has_exactly_the_claims_of_rfc_9068(service):
    with service.session() as session:
        token = session.post(TOKEN, data=GRANT | own(service)).json()["access_token"]
    key = service.auth.keys.newest
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": key.kid, "typ": "at+jwt"}
    claims = jwt.decode(token, key.public, ["EdDSA"], audience="town")
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "iat", "nbf", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 60
    assert abs(claims["iat"] - time.time()) < 5


def test_a_token_can_have_fewer_scopes_than_the_client(service):
    with service.session() as session:
        token = session.post(TOKEN, data=GRANT | own(service) | {"scope": "admin"}).json()["access_token"]
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
    "parameters in the URL": (lambda p: {"params": GRANT, "data": GRANT | own(p)}, 400, "invalid_request"),
    "another grant": (lambda p: {"data": own(p) | {"grant_type": "password"}}, 400, "unsupported_grant_type"),
    "a scope that it doesn't have": (
        lambda p: {"data": GRANT | own(p) | {"scope": "predict feedback"}}, 400, "invalid_scope"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_request_is_refused_if_it_has(service, name):
    make, status, error = REFUSED[name]
    with service.session() as session:
        request = make(service)
        answer = session.post(TOKEN, **request)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    # RFC 6749 §5.2: a client that tried by a header is answered with the scheme it tried.
    assert ("www-authenticate" in answer.headers) == (status == 401 and "authorization" in request.get("headers", {}))


def test_a_token_request_of_more_than_8_kib_gets_413(service):
    with service.session() as session:
        assert session.post(TOKEN, data=GRANT | own(service) | {"x": "y" * 8192}).status_code == 413


def test_stalled_token_requests_time_out_and_take_no_place_of_other_requests(service):
    address = urlsplit(service.url)
    head = b"POST /api/v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    stalled = [socket.create_connection((address.hostname, address.port), timeout=20) for _ in range(300)]
    try:
        for connection in stalled:
            connection.sendall(head + b"Content-Length: 8000\r\n\r\ngrant")
        started = time.monotonic()
        with service.session() as session:
            assert session.post(TOKEN, data=GRANT | own(service)).status_code == 200
        assert stalled[-1].recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 8
    finally:
        for connection in stalled:
            connection.close()


def test_a_revoked_client_gets_no_token(service):
    service.add_client("quitter", "predict")
    clients.revoke_client(service.engine, service.audit_folder, "quitter")
    service.wait_until(lambda: service.auth.active_client("quitter") is None)
    with service.session() as session:
        assert session.post(TOKEN, data=GRANT | own(service, "quitter")).status_code == 401


def test_an_unknown_client_costs_the_same_verification(service, monkeypatch):
    compared = []
    verify = client_secrets.HASHER.verify

    def noting(_, known, secret):
        compared.append(known)
        return verify(known, secret)

    monkeypatch.setattr(type(client_secrets.HASHER), "verify", noting)
    with service.session() as session:
        session.post(TOKEN, data=GRANT | {"client_id": "stranger", "client_secret": "guess"})
        session.post(TOKEN, data=GRANT | own(service) | {"client_secret": "guess"})
    assert len(compared) == 2
    assert all(known.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for known in compared)


def test_no_secret_verifies_without_a_hash_not_even_the_dummy(monkeypatch):
    monkeypatch.setattr(client_secrets, "new_secret", lambda: "nobody's")
    verifier = client_secrets.SecretVerifier()
    assert not asyncio.run(verifier.verify("nobody's", None))
    assert asyncio.run(verifier.verify("own", client_secrets.hash_secret("own")))


def test_too_many_verifications_at_once_get_503(service, monkeypatch):
    monkeypatch.setattr(client_secrets, "MAX_WAITING", 0)
    with service.session() as session:
        answer = session.post(TOKEN, data=GRANT | own(service))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_audit_trail_names_verified_clients_only(service):
    sent = {"right": own(service), "wrong": own(service) | {"client_secret": "x"}}
    sent |= {"strange": {"client_id": "anna@example.com", "client_secret": "x"}}
    with service.session() as session:
        for request_id, given in sent.items():
            session.post(TOKEN, data=GRANT | given, headers={"x-request-id": request_id})
    told = {
        request_id: (line["actor"], line["subject"]) for request_id in sent if (line := service.audit_row(request_id))
    }
    assert told == {"right": ("boss", None), "wrong": ("unknown", "boss"), "strange": ("unknown", None)}
