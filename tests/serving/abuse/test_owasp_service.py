"""OWASP's API Security Top 10 of 2023, risks 7 to 10: requests, configuration and data of the service."""

import itertools
import json
import re
import socket
from pathlib import Path

import httpx
import jwt
import pytest
import warehouses
from authenticated_service import UNSET_VARIABLE, run_full_service
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.routing import iter_route_contexts
from openapi_inputs import inputs, request
from raw_http import INTERNAL
from sqlalchemy import insert

from homei.serving.app import create_app
from homei.serving.auth import route_access
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, writing
from homei.warehouse.shards import shard_of
from homei.warehouse.tables import market_trends, property_analytics

PRICE = "/api/v1/predict/price"
SEARCH, DETAIL, TRENDS = "/api/v1/properties/search", "/api/v1/properties/{}", "/api/v1/analytics/market-trends"
TOKEN = "/api/v1/token"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


@pytest.fixture(scope="module")
def api(service):
    return httpx.get(f"{service.url}/openapi.json").json()


def test_api7_server_side_request_forgery_nothing_that_looks_like_an_address_is_fetched(service, api):
    """No route fetches a URL: a listener's address, in every field and header, gets no connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        lures = [
            f"http://{where}/",
            f"//{where}/x",
            f"ftp://{where}/",
            f"${{jndi:ldap://{where}/a}}",
            f"\\\\{where}\\x",
        ]
        lures += [f'<!DOCTYPE x [<!ENTITY e SYSTEM "http://{where}/">]>&e;']
        with service.session(service.token("boss", "predict", "analytics", "feedback")) as client:
            for place, lure in itertools.product(inputs(api), lures):
                assert client.send(request(client, place, lure)).status_code < 500
            for header in ("referer", "x-forwarded-host", "forwarded", "host", "webhook", "callback-url"):
                assert client.post(PRICE, json=HOME, headers={header: where}).status_code == 200
        names = dict.fromkeys(("jku", "x5u", "kid"), f"http://{where}/keys")
        forged = jwt.encode({"iss": "homei", "aud": "town"}, Ed25519PrivateKey.generate(), "EdDSA", headers=names)
        with service.session(forged) as client:
            assert client.post(PRICE, json=HOME).status_code == 401
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_api8_security_misconfiguration_answers_trust_no_browser_and_name_no_part(service):
    """No other site's script may ask or read, nothing is guessed or framed, tokens are not cached, and neither headers
    nor errors tell what the service is made with. That it answers on loopback only without keys, and over TLS with its
    own certificate, is in ../test_bento.py."""
    site = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    with service.session(service.token("boss", "predict", "analytics")) as client:
        own = {"grant_type": "client_credentials", "client_id": "boss", "client_secret": service.secrets["boss"]}
        with service.session() as nobody:
            token = nobody.post(TOKEN, data=own)
        assert (token.status_code, token.headers["cache-control"]) == (200, "no-store")
        answers = [
            client.get("/docs"),
            client.get("/openapi.json"),
            client.get(SEARCH, headers=site),
            client.get(TRENDS, params={"format": "csv"}),
            client.post(PRICE, json=HOME, headers=site),
            client.post(PRICE, json={}),
            client.options(PRICE, headers=site),
            client.request("TRACE", PRICE),
            client.get("/api/v1/none"),
            client.get("/.git/config"),
            client.get("/.env"),
            token,
        ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-") or name == "x-powered-by"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        if answer.status_code >= 400:
            assert not INTERNAL.search(answer.text)


def test_api9_inventory_every_served_route_is_in_openapi_or_opened_on_purpose(service, api, contract, bento_url):
    """There is one API version, and of BentoML's own routes only the probes."""
    routes = list(iter_route_contexts(create_app(contract, service.auth).routes))
    assert {route.path_format for route in routes if getattr(route, "include_in_schema", False)} == set(api["paths"])
    assert all(path.startswith("/api/v1/") for path in api["paths"])
    served = {route.path for route in routes} - set(api["paths"]) - {"/api/v1/properties/{property_id:path}"}
    assert served == {"/", "/docs", "/docs/oauth2-redirect", "/docs-assets", "/openapi.json", "/metrics", "/readyz"}
    assert {"/", "/docs", "/openapi.json", "/livez", "/readyz", "/healthz"} == route_access.OPEN_PATHS
    for path in ("/schema.json", "/docs.json", "/redoc", "/static_content/index.css", "/api", "/api/v2/predict/price"):
        assert httpx.get(bento_url + path).status_code == 404, path
    for path in ("/call", "/task/submit", "/predict", "/value"):
        assert httpx.post(bento_url + path, json={}).status_code == 404, path


def test_api10_unsafe_consumption_what_the_warehouse_holds_comes_out_as_data(contract, predictor, tmp_path):
    """What the service consumes is the warehouse, which is filled from others' sources: markup, formulas, numbers that
    are none, and strings that would break a line or a header come out as the values that they are, in valid JSON."""
    published = PublishConfig(address=UNSET_VARIABLE, file=str(tmp_path / "warehouse.db"))
    warehouses.publish(published)
    script, break_off = "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1"
    hostile = warehouses.home(3) | {
        "property_id": script,
        "location": "=HYPERLINK(1)",
        "shard": shard_of("=HYPERLINK(1)"),
        "property_type": break_off,
    }
    hostile |= {"address": '"}],"next":null', "square_meters": float("inf"), "last_price_today": float("-inf")}
    hostile |= {"features": {"__class__": "os.system", "text": "{{7*7}}${7*7}"}}
    engine = connect(published)
    with writing(engine) as connection:
        connection.execute(insert(property_analytics).values(hostile))
        period = warehouses.periods()[-1] | {"location": "@SUM(1)", "median_price": float("inf")}
        connection.execute(insert(market_trends).values(period))
    engine.dispose()

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    with (
        run_full_service(contract, predictor, Path(tmp_path), published) as place,
        place.session(place.token("boss", "analytics")) as client,
    ):
        found = client.get(SEARCH, params={"location": "=HYPERLINK(1)"})
        (home,) = json.loads(found.content, parse_constant=no_constant)["properties"]
        one = client.get(DETAIL.format("%3Cscript%3Ealert(1)%3C%2Fscript%3E"))
        detail = json.loads(one.content, parse_constant=no_constant)
        assert found.headers["content-type"] == one.headers["content-type"] == "application/json"
        assert "set-cookie" not in found.headers and "set-cookie" not in one.headers
        for shown in (home, detail):
            assert (shown["property_id"], shown["property_type"], shown["address"]) == (
                script,
                break_off,
                hostile["address"],
            )
            assert shown["square_meters"] is None
        assert detail["features"] == hostile["features"] and detail["sales"]["last_price_today"] is None
        trends = client.get(TRENDS, params={"location": "@SUM(1)", "frequency": "year"})
        assert json.loads(trends.content, parse_constant=no_constant)["periods"][-1]["median_price"] is None
        csv = client.get(TRENDS, params={"location": "@SUM(1)", "frequency": "year", "format": "csv"}).text
        assert "\n'@SUM(1)," in csv


def test_each_risk_has_a_test_of_its_name():
    text = "".join(file.read_text() for file in Path(__file__).parent.glob("test_owasp*.py"))
    assert set(re.findall(r"def test_(api\d+)_", text)) == {f"api{number}" for number in range(1, 11)}
