"""Authorisation of requests: routes, rates, lock-outs, changes of keys and clients, and their audit entries."""

import datetime
import json
import logging
import time

import httpx
import pytest
from authenticated_service import FakeClock
from fastapi import FastAPI
from sqlalchemy import select

from homei.serving.app import create_app
from homei.serving.audit import chain
from homei.serving.audit.head_file import HeadFile
from homei.serving.auth import clients, context, signing_keys
from homei.serving.auth.route_access import RouteTable
from homei.serving.auth.tokens import issue_token
from homei.warehouse.connection import reading, writing
from homei.warehouse.tables import audit

PRICE, BATCH, TOKEN = "/api/v1/predict/price", "/api/v1/predict/batch", "/api/v1/token"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
GRANT = {"grant_type": "client_credentials"}


def find(routes, method, path):
    return routes.find({"type": "http", "method": method, "path": path, "headers": []})


def test_routes_declare_their_scopes(contract, service):
    routes = create_app(contract, service.auth).state.routes
    assert find(routes, "POST", PRICE).scope == find(routes, "POST", BATCH).scope == "predict"
    assert find(routes, "GET", "/metrics").scope == "admin"
    assert not find(routes, "POST", TOKEN).needs_token


def test_a_route_without_a_scope_is_an_error_at_the_start():
    app = FastAPI()
    app.get("/api/v1/secrets")(lambda: "all of them")
    with pytest.raises(ValueError, match="/api/v1/secrets declares no scope"):
        RouteTable(app)


def test_only_probes_and_documentation_are_open(contract, service):
    routes = create_app(contract, service.auth).state.routes
    open_paths = ["/", "/docs", "/openapi.json", "/livez", "/readyz", "/healthz", "/docs-assets/x.js"]
    assert all(find(routes, "GET", path).is_open for path in open_paths)
    closed_paths = ["/metrics", "/metrics/", "//metrics", "/docs/", "/docs-assets", "/schema.json", "/api/v1/none"]
    assert not [path for path in [*closed_paths, f"{PRICE}\n"] if find(routes, "GET", path).is_open]


def test_a_path_with_a_newline_matches_no_route(service):
    with service.session(service.token("boss", "predict")) as session:
        assert session.post(f"{PRICE}%0A", json=HOME).status_code == 404
    with service.session() as session:
        assert session.post(f"{PRICE}%0A", json=HOME).status_code == 401


def test_only_clients_with_a_token_learn_which_paths_do_not_exist(service):
    with service.session() as session:
        assert session.get("/api/v1/none").status_code == 401
        assert session.get(PRICE).status_code == 401
    with service.session(service.token("analyst", "analytics")) as session:
        assert session.get("/api/v1/none").status_code == 404
        assert session.get(PRICE).status_code == 405


def test_openapi_names_the_token_endpoint_and_the_scope_of_each_route(service):
    with service.session() as session:
        told = session.get("/openapi.json").json()
    flow = told["components"]["securitySchemes"]["client_credentials"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == TOKEN
    assert set(flow["scopes"]) == {"predict", "analytics", "feedback", "admin"}
    assert told["paths"][PRICE]["post"]["security"] == [{"client_credentials": ["predict"]}]
    assert told["paths"][TOKEN]["post"]["security"] == []


def test_the_openapi_of_an_open_service_has_no_security(client):
    told = client.get("/openapi.json").json()
    assert TOKEN not in told["paths"]
    assert "security" not in told["paths"][PRICE]["post"]


def test_a_client_above_its_rate_gets_retry_after(service, monkeypatch):
    service.add_client("hasty", "predict", rate=2)
    service.add_client("calm", "predict", rate=2)
    with service.session(service.token("hasty", "predict")) as session:
        statuses = [session.post(PRICE, json=HOME).status_code for _ in range(5)]
        refused = session.post(PRICE, json=HOME)
        assert statuses[:4] == [200] * 4
        assert refused.status_code == 429
        with service.session(service.token("calm", "predict")) as other:
            assert other.post(PRICE, json=HOME).status_code == 200
        monkeypatch.setattr(context, "time", FakeClock(int(refused.headers["retry-after"])))
        assert session.post(PRICE, json=HOME).status_code == 200


def test_forged_signatures_lock_out_their_address_and_no_other(service):
    good, new = (service.token("valuer", "predict") for _ in range(2))
    header, claims, _ = new.split(".")
    forged = {"authorization": f"Bearer {header}.{claims}.{'A' * 86}"}
    with service.session(good) as session, service.session() as elsewhere:
        assert session.post(PRICE, json=HOME).status_code == 200
        assert [session.post(PRICE, json=HOME, headers=forged).status_code for _ in range(5)] == [401] * 5
        locked = session.post(PRICE, json=HOME, headers=forged)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["retry-after"]) <= 60
        # Neither secrets nor tokens that are not known yet are verified; tokens that were verified before pass.
        assert session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {new}"}).status_code == 429
        own = {"client_id": "valuer", "client_secret": service.secrets["valuer"]}
        assert session.post(TOKEN, data=GRANT | own).status_code == 429
        assert session.post(PRICE, json=HOME).status_code == 200
        assert elsewhere.post(PRICE, json=HOME, headers={"authorization": f"Bearer {new}"}).status_code == 200


def expired_token(service):
    key, config = service.auth.keys.newest, service.auth.config
    return {"authorization": f"Bearer {issue_token(key, config, 'valuer', ['predict'], time.time() - 3600)}"}


MISTAKES = {
    "an expired token": lambda service: {"url": PRICE, "json": HOME, "headers": expired_token(service)},
    "no token": lambda service: {"url": PRICE, "json": HOME},
    "an unknown path": lambda service: {"url": "/favicon.ico"},
    "a malformed token": lambda service: {"url": PRICE, "json": HOME, "headers": {"authorization": "Bearer x"}},
    "a token request without a form": lambda service: {"url": TOKEN, "json": GRANT},
    "a token request without a secret": lambda service: {"url": TOKEN, "data": GRANT},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_honest_clients_do_not_lock_their_address(service, mistake):
    with service.session() as session:
        statuses = {session.post(**MISTAKES[mistake](service)).status_code for _ in range(20)}
        assert statuses <= {400, 401}
        own = {"client_id": "valuer", "client_secret": service.secrets["valuer"]}
        assert session.post(TOKEN, data=GRANT | own).status_code == 200


def test_an_address_adds_few_requests_without_a_client_to_the_audit_trail(service):
    with service.session() as session:
        for number in range(20):
            session.get("/favicon.ico", headers={"x-request-id": f"icon-{number}"})
        session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {service.token('valuer', 'predict')}"})
        token = {"authorization": f"Bearer {service.token('valuer', 'predict')}", "x-request-id": "after-icons"}
        session.post(PRICE, json=HOME, headers=token)
    assert service.audit_row("after-icons")["actor"] == "valuer"
    with service.engine.connect() as connection:
        icons = connection.execute(select(audit).where(audit.c.request_id.startswith("icon-"))).all()
    assert len(icons) == service.auth.config.max_failures == 5


def test_a_batch_costs_the_rate_of_its_rows(service, monkeypatch):
    service.add_client("bulk", "predict", rate=2)
    with service.session(service.token("bulk", "predict")) as session:
        batch = {"properties": [HOME] * 31}  # of 10 rows for each request: four requests
        assert session.post(BATCH, json=batch).status_code == 200
        refused = session.post(BATCH, json=batch)
        assert refused.status_code == 429
        assert session.post(PRICE, json=HOME).status_code == 429
        monkeypatch.setattr(context, "time", FakeClock(2))
        assert session.post(BATCH, json=batch).status_code == 200


def test_wrong_secrets_lock_out_and_the_lock_is_recorded_once(service):
    guess = GRANT | {"client_id": "valuer", "client_secret": "guess"}
    with service.session() as session:
        for number in range(5):
            assert session.post(TOKEN, data=guess, headers={"x-request-id": f"guess-{number}"}).status_code == 401
        assert session.post(TOKEN, data=guess, headers={"x-request-id": "guess-6"}).status_code == 429
    assert service.audit_row("guess-4")["details"]["locked_seconds"] == 60
    assert "locked_seconds" not in service.audit_row("guess-3")["details"]
    with service.engine.connect() as connection:
        assert not connection.execute(select(audit).where(audit.c.request_id == "guess-6")).all()


def test_a_revoked_client_is_refused_within_seconds_although_its_token_is_valid(service):
    service.add_client("leaver", "predict")
    with service.session(service.token("leaver", "predict")) as session:
        assert session.post(PRICE, json=HOME).status_code == 200
        clients.revoke_client(service.engine, service.audit_folder, "leaver")
        service.wait_until(lambda: session.post(PRICE, json=HOME).status_code == 401, seconds=3)


def test_keys_can_be_added_and_removed_while_the_service_runs(running_service, tmp_path):
    with running_service(tmp_path) as service:
        service.add_client("valuer", "predict")
        old = service.auth.keys.newest
        before = service.token("valuer", "predict")
        new = signing_keys.create_key(service.key_folder, datetime.datetime.now(datetime.UTC))
        service.wait_until(lambda: service.auth.keys.newest.kid == new.kid)
        after = service.token("valuer", "predict")
        with service.session(before) as by_old, service.session(after) as by_new:
            assert by_old.post(PRICE, json=HOME).status_code == by_new.post(PRICE, json=HOME).status_code == 200
            (service.key_folder / f"{old.kid}.pem").unlink()
            service.wait_until(lambda: by_old.post(PRICE, json=HOME).status_code == 401)
            assert by_new.post(PRICE, json=HOME).status_code == 200
            (service.key_folder / f"{new.kid}.pem").chmod(0o644)  # a slip must not lock everyone out
            time.sleep(0.3)
            assert by_new.post(PRICE, json=HOME).status_code == 200
            (service.key_folder / f"{new.kid}.pem").unlink()
            service.wait_until(lambda: by_new.post(PRICE, json=HOME).status_code == 503)
        of_keys = select(audit.c.action, audit.c.subject).where(audit.c.action.startswith("key.")).order_by("number")
        told = [("key.add", old.kid), ("key.add", new.kid), ("key.remove", old.kid), ("key.remove", new.kid)]

        def is_told() -> bool:
            with service.engine.connect() as connection:
                return connection.execute(of_keys).all() == told

        service.wait_until(is_told)


def test_cached_clients_stay_valid_for_a_limited_time_if_they_cannot_be_read(running_service, tmp_path, monkeypatch):
    with running_service(tmp_path) as service:
        service.add_client("valuer", "predict")
        with service.session(service.token("valuer", "predict")) as session:
            with writing(service.engine) as connection:
                connection.exec_driver_sql("ALTER TABLE clients RENAME TO away")
            time.sleep(0.3)
            assert session.post(PRICE, json=HOME).status_code == 200
            monkeypatch.setattr(context, "TRUST_SECONDS", 0.2)
            service.wait_until(lambda: session.post(PRICE, json=HOME).status_code == 503)
            assert session.post(PRICE, json=HOME).headers["retry-after"] == "5"
            with writing(service.engine) as connection:
                connection.exec_driver_sql("ALTER TABLE away RENAME TO clients")
            service.wait_until(lambda: session.post(PRICE, json=HOME).status_code == 200)


def test_requests_that_cannot_be_recorded_are_refused(service, monkeypatch):
    monkeypatch.setattr(type(service.auth.trail), "is_full", property(lambda _: True))
    with service.session(service.token("valuer", "predict")) as session:
        assert session.post(PRICE, json=HOME).status_code == 503


def test_an_audit_entry_has_client_action_time_and_outcome_but_no_data_of_the_request(service):
    began = datetime.datetime.now(datetime.UTC)
    home = HOME | {"location": "Elm Street 5"}
    with service.session(service.token("valuer", "predict")) as session:
        for request_id, body in {"told-1": home, "told-2": {}}.items():
            answer = session.post(f"{PRICE}?include=reasons", json=body, headers={"x-request-id": request_id})
            assert answer.headers["x-request-id"] == request_id
    line, refused = service.audit_row("told-1"), service.audit_row("told-2")
    assert (line["actor"], line["action"], line["outcome"]) == ("valuer", f"POST {PRICE}", "ok")
    assert line["details"]["status"] == 200
    assert 0 <= (line["happened_at"].replace(tzinfo=datetime.UTC) - began).total_seconds() < 10
    assert (refused["outcome"], refused["details"]["status"]) == ("refused", 422)
    whole = json.dumps([dict(line), dict(refused)], default=str)
    assert not [word for word in ("Elm", "reasons", "198.51", "127.0.0.1") if word in whole]


def test_a_request_id_with_unusual_characters_is_replaced(service):
    with service.session(service.token("valuer", "predict")) as session:
        for given in ("a b", "x" * 65, "{}"):
            answer = session.post(PRICE, json=HOME, headers={"x-request-id": given})
            assert len(answer.headers["x-request-id"]) == 32
            assert answer.headers["x-request-id"] != given


def test_the_chain_is_intact_after_these_tests(service):
    head = HeadFile(service.audit_folder).read()  # first: the trail grows meanwhile
    with reading(service.engine) as connection:
        verdict = chain.verify(chain.read_rows(connection), head)
    assert verdict.fault is None
    assert verdict.head.number > 20


def test_secrets_and_tokens_are_not_written_to_logs_or_files(running_service, tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG), running_service(tmp_path) as service:
        service.add_client("valuer", "predict")
        secret = service.secrets["valuer"]
        with httpx.Client(base_url=service.url) as session:
            told = session.post(TOKEN, data=GRANT | {"client_id": "valuer", "client_secret": secret}).json()
            token = told["access_token"]
            for bearer in (token, token[:-9], f"{token}x"):
                session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {bearer}"})
            session.post(TOKEN, data=GRANT | {"client_id": "valuer", "client_secret": f"{secret}x"})
    secret_key = next(service.key_folder.glob("*.pem")).read_text().splitlines()[1]
    everything = caplog.text + "".join(capfd.readouterr())
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != signing_keys.SUFFIX]
    everything += "".join(file.read_bytes().decode("latin-1") for file in files)
    assert "$argon2id$" in everything
    for word in (secret, token, token.split(".")[2][:20], secret_key):
        assert word not in everything
