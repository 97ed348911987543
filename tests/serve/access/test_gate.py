"""What passes the gate and what doesn't: routes, rates, lock-outs, changes of keys and clients; and what is kept."""

import datetime
import json
import logging
import time

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from homei.serve.access import clients, doorkeeper, keys
from homei.serve.access.routes import Routes
from homei.serve.app import add_docs, create_app
from homei.serve.audit import chain, head
from homei.warehouse.connection import reading, writing
from homei.warehouse.tables import audit

PRICE, BATCH, TOKEN = "/api/v1/predict/price", "/api/v1/predict/batch", "/api/v1/token"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
GRANT = {"grant_type": "client_credentials"}


def test_every_route_of_the_interface_says_what_it_needs(contract, place):
    routes = Routes(create_app(contract, place.keeper))
    assert {path: routes.rule("POST", path).scope for path in (PRICE, BATCH, TOKEN)} == {
        PRICE: "predict", BATCH: "predict", TOKEN: ""}  # fmt: skip
    assert routes.rule("GET", "/metrics").scope == "admin"


def test_a_route_that_nobody_marked_keeps_the_service_from_starting():
    app = FastAPI()
    app.get("/api/v1/secrets")(lambda: "all of them")
    with pytest.raises(ValueError, match="/api/v1/secrets doesn't say what scope it needs"):
        Routes(app)


def test_probes_and_documentation_are_open_and_nothing_else_is(contract, place, tmp_path):
    app = create_app(contract, place.keeper)
    add_docs(app, tmp_path)
    routes = Routes(app)
    open_ones = ["/", "/docs", "/openapi.json", "/livez", "/readyz", "/healthz", "/docs-assets/x.js"]
    assert all(routes.rule("GET", path).is_open for path in open_ones)
    closed = [
        "/metrics",
        "/metrics/",
        "//metrics",
        "/docs/",
        "/docs-assets",
        "/schema.json",
        "/api/v1/none",
        f"{PRICE}\n",
    ]
    assert not [path for path in closed if routes.rule("GET", path).is_open]


def test_a_path_with_a_newline_is_no_route_whatever_a_pattern_would_take_it_for(place):
    with place.session(place.token("boss", "predict")) as session:
        assert session.post(f"{PRICE}%0A", json=HOME).status_code == 404
    with place.session() as session:
        assert session.post(f"{PRICE}%0A", json=HOME).status_code == 401


def test_what_is_not_there_is_told_to_those_with_a_token_only(place):
    with place.session() as session:
        assert session.get("/api/v1/none").status_code == 401
        assert session.get(PRICE).status_code == 401
    with place.session(place.token("analyst", "analytics")) as session:
        assert session.get("/api/v1/none").status_code == 404
        assert session.get(PRICE).status_code == 405


def test_openapi_tells_where_tokens_come_from_and_what_each_route_needs(place):
    with place.session() as session:
        told = session.get("/openapi.json").json()
    flow = told["components"]["securitySchemes"]["client_credentials"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == TOKEN
    assert set(flow["scopes"]) == {"predict", "analytics", "feedback", "admin"}
    assert told["paths"][PRICE]["post"]["security"] == [{"client_credentials": ["predict"]}]
    assert told["paths"][TOKEN]["post"]["security"] == []


def test_an_open_service_tells_of_no_tokens(client):
    told = client.get("/openapi.json").json()
    assert TOKEN not in told["paths"]
    assert "security" not in told["paths"][PRICE]["post"]


def test_a_client_that_asks_faster_than_its_rate_is_told_when_to_come_again(place):
    place.add("hasty", "predict", rate=2)
    place.add("calm", "predict", rate=2)
    with place.session(place.token("hasty", "predict")) as session:
        statuses = [session.post(PRICE, json=HOME).status_code for _ in range(5)]
        refused = session.post(PRICE, json=HOME)
        assert statuses[:4] == [200] * 4
        assert refused.status_code == 429
        with place.session(place.token("calm", "predict")) as other:
            assert other.post(PRICE, json=HOME).status_code == 200
        time.sleep(int(refused.headers["retry-after"]))
        assert session.post(PRICE, json=HOME).status_code == 200


def test_an_address_that_fails_too_often_is_locked_out_and_no_other(place):
    good, new = (place.token("valuer", "predict") for _ in range(2))
    bad = {"authorization": "Bearer guess"}
    with place.session(good) as session, place.session() as elsewhere:
        assert session.post(PRICE, json=HOME).status_code == 200
        assert [session.post(PRICE, json=HOME, headers=bad).status_code for _ in range(5)] == [401] * 5
        locked = session.post(PRICE, json=HOME, headers=bad)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["retry-after"]) <= 60
        # No secret and no token that isn't known yet is looked at, however good; what is known goes on.
        assert session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {new}"}).status_code == 429
        own = {"client_id": "valuer", "client_secret": place.secrets["valuer"]}
        assert session.post(TOKEN, data=GRANT | own).status_code == 429
        assert session.post(PRICE, json=HOME).status_code == 200
        assert elsewhere.post(PRICE, json=HOME, headers={"authorization": f"Bearer {new}"}).status_code == 200


@pytest.mark.parametrize("attempt", ["no token", "two tokens", "no form"])
def test_nobody_fills_the_trail_without_being_locked_out(place, attempt):
    token = ("authorization", "Bearer x")
    how = {
        "no token": {"url": PRICE, "json": HOME},
        "two tokens": {"url": PRICE, "json": HOME, "headers": [token, token]},
        "no form": {"url": TOKEN, "json": GRANT},
    }
    with place.session() as session:
        statuses = [session.post(**how[attempt]).status_code for _ in range(7)]
    assert statuses == [400 if attempt != "no token" else 401] * 5 + [429] * 2


def test_secrets_that_are_guessed_lock_out_too_and_the_trail_says_so_once(place):
    guess = GRANT | {"client_id": "valuer", "client_secret": "guess"}
    with place.session() as session:
        for number in range(5):
            assert session.post(TOKEN, data=guess, headers={"x-request-id": f"guess-{number}"}).status_code == 401
        assert session.post(TOKEN, data=guess, headers={"x-request-id": "guess-6"}).status_code == 429
    assert place.line("guess-4")["details"]["locked_seconds"] == 60
    assert "locked_seconds" not in place.line("guess-3")["details"]
    with place.engine.connect() as connection:
        assert not connection.execute(select(audit).where(audit.c.request_id == "guess-6")).all()


def test_a_revoked_client_is_refused_within_seconds_though_its_token_was_just_good(place):
    place.add("leaver", "predict")
    with place.session(place.token("leaver", "predict")) as session:
        assert session.post(PRICE, json=HOME).status_code == 200
        clients.revoke(place.engine, place.apart, "leaver")
        place.until(lambda: session.post(PRICE, json=HOME).status_code == 401, seconds=3)


def test_keys_change_without_a_pause_and_a_key_that_is_taken_away_is_worth_nothing(opened, tmp_path):
    with opened(tmp_path) as place:
        place.add("valuer", "predict")
        old = place.keeper.keys.newest
        before = place.token("valuer", "predict")
        new = keys.make(place.key_folder, datetime.datetime.now(datetime.UTC))
        place.until(lambda: place.keeper.keys.newest.kid == new.kid)
        after = place.token("valuer", "predict")
        with place.session(before) as by_old, place.session(after) as by_new:
            assert by_old.post(PRICE, json=HOME).status_code == by_new.post(PRICE, json=HOME).status_code == 200
            (place.key_folder / f"{old.kid}.pem").unlink()
            place.until(lambda: by_old.post(PRICE, json=HOME).status_code == 401)
            assert by_new.post(PRICE, json=HOME).status_code == 200
            (place.key_folder / f"{new.kid}.pem").chmod(0o644)  # a slip must not lock everyone out
            time.sleep(0.3)
            assert by_new.post(PRICE, json=HOME).status_code == 200
            (place.key_folder / f"{new.kid}.pem").unlink()
            place.until(lambda: by_new.post(PRICE, json=HOME).status_code == 503)
        of_keys = select(audit.c.action, audit.c.subject).where(audit.c.action.startswith("key.")).order_by("number")
        told = [("key.add", old.kid), ("key.add", new.kid), ("key.remove", old.kid), ("key.remove", new.kid)]

        def is_told() -> bool:
            with place.engine.connect() as connection:
                return connection.execute(of_keys).all() == told

        place.until(is_told)


def test_where_clients_cannot_be_read_those_known_last_are_believed_for_a_while_only(opened, tmp_path, monkeypatch):
    with opened(tmp_path) as place:
        place.add("valuer", "predict")
        with place.session(place.token("valuer", "predict")) as session:
            with writing(place.engine) as connection:
                connection.exec_driver_sql("ALTER TABLE clients RENAME TO away")
            time.sleep(0.3)
            assert session.post(PRICE, json=HOME).status_code == 200
            monkeypatch.setattr(doorkeeper, "TRUSTED", 0.2)
            place.until(lambda: session.post(PRICE, json=HOME).status_code == 503)
            assert session.post(PRICE, json=HOME).headers["retry-after"] == "5"
            with writing(place.engine) as connection:
                connection.exec_driver_sql("ALTER TABLE away RENAME TO clients")
            place.until(lambda: session.post(PRICE, json=HOME).status_code == 200)


def test_what_can_not_be_recorded_is_not_done(place, monkeypatch):
    monkeypatch.setattr(type(place.keeper.trail), "is_full", property(lambda _: True))
    with place.session(place.token("valuer", "predict")) as session:
        assert session.post(PRICE, json=HOME).status_code == 503


def test_the_trail_tells_who_did_what_when_and_with_what_outcome_and_not_of_whose_home(place):
    began = datetime.datetime.now(datetime.UTC)
    home = HOME | {"location": "Elm Street 5"}
    with place.session(place.token("valuer", "predict")) as session:
        for request_id, body in {"told-1": home, "told-2": {}}.items():
            answer = session.post(f"{PRICE}?include=reasons", json=body, headers={"x-request-id": request_id})
            assert answer.headers["x-request-id"] == request_id
    line, refused = place.line("told-1"), place.line("told-2")
    assert (line["actor"], line["action"], line["outcome"]) == ("valuer", f"POST {PRICE}", "ok")
    assert line["details"]["status"] == 200
    assert 0 <= (line["happened_at"].replace(tzinfo=datetime.UTC) - began).total_seconds() < 10
    assert (refused["outcome"], refused["details"]["status"]) == ("refused", 422)
    whole = json.dumps([dict(line), dict(refused)], default=str)
    assert not [word for word in ("Elm", "reasons", "198.51", "127.0.0.1") if word in whole]


def test_a_request_id_that_is_no_plain_word_is_replaced(place):
    with place.session(place.token("valuer", "predict")) as session:
        for given in ("a b", "x" * 65, "{}"):
            answer = session.post(PRICE, json=HOME, headers={"x-request-id": given})
            assert len(answer.headers["x-request-id"]) == 32
            assert answer.headers["x-request-id"] != given


def test_the_chain_is_whole_after_all_this(place):
    with reading(place.engine) as connection:
        verdict = chain.verify(chain.stored(connection), head.read(place.apart))
    assert verdict.fault is None
    assert verdict.head.number > 20


def test_no_secret_and_no_token_is_written_anywhere(opened, tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG), opened(tmp_path) as place:
        place.add("valuer", "predict")
        secret = place.secrets["valuer"]
        with httpx.Client(base_url=place.url) as session:
            told = session.post(TOKEN, data=GRANT | {"client_id": "valuer", "client_secret": secret}).json()
            token = told["access_token"]
            for bearer in (token, token[:-9], f"{token}x"):
                session.post(PRICE, json=HOME, headers={"authorization": f"Bearer {bearer}"})
            session.post(TOKEN, data=GRANT | {"client_id": "valuer", "client_secret": f"{secret}x"})
    secret_key = next(place.key_folder.glob("*.pem")).read_text().splitlines()[1]
    everything = caplog.text + "".join(capfd.readouterr())
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != keys.SUFFIX]
    everything += "".join(file.read_bytes().decode("latin-1") for file in files)
    assert "$argon2id$" in everything
    for word in (secret, token, token.split(".")[2][:20], secret_key):
        assert word not in everything
