"""Cached responses over HTTP: the same bytes, never those of an older version."""

import contextlib

import httpx
import pytest
import warehouses
from authenticated_service import run_service
from live_server import cache_from_environment, complete_app, live_server
from sqlalchemy import update

from homei.serving.app import create_app
from homei.serving.predictor import Predictor
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.connection import connect, writing
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import market_trends, property_analytics, publication

SEARCH, TRENDS = "/api/v1/properties/search", "/api/v1/analytics/market-trends"
DETAIL = "/api/v1/properties/p001"
MISS, HIT = "homei; fwd=miss", "homei; hit"


def status(response):
    assert response.status_code == 200, response.text
    return response.headers["cache-status"]


def publish_anew(settings, digest):
    """Replaces the publication by one with higher prices."""
    engine = connect(settings)
    with writing(engine) as connection:
        connection.execute(update(property_analytics).values(price=property_analytics.c.price + 1))
        connection.execute(update(property_analytics).values(valued_price=property_analytics.c.valued_price + 1))
        connection.execute(update(market_trends).values(median_price=market_trends.c.median_price + 1))
        connection.execute(update(publication).values(digest=digest))
    engine.dispose()


@pytest.mark.parametrize(
    "route", [SEARCH, f"{SEARCH}?sort=-area&limit=3", DETAIL, TRENDS, f"{TRENDS}?location=harbour&format=csv"]
)
def test_a_cached_response_equals_the_computed_one_byte_for_byte(client, route, figures):
    first, second = client.get(route), client.get(route)
    assert (status(first), status(second)) == (MISS, HIT)
    assert first.content == second.content
    same = [name for name in first.headers if name not in ("cache-status", "x-request-id", "date")]
    assert all(first.headers[name] == second.headers[name] for name in same)
    assert (figures.counted("miss"), figures.counted("hit")) == (1, 1)


def test_equal_parameters_in_another_form_share_a_cache_entry(client):
    assert status(client.get(SEARCH, params={"area_min": "50", "sort": "price", "limit": 5})) == MISS
    assert status(client.get(SEARCH, params={"limit": "5", "area_min": "50.0"})) == HIT
    assert status(client.get(SEARCH, params={"limit": "6", "area_min": "50.0"})) == MISS
    assert status(client.get(TRENDS, headers={"accept": "text/csv"})) == MISS
    assert status(client.get(TRENDS)) == MISS
    assert status(client.get(TRENDS, params={"format": "csv"})) == HIT


def test_a_new_publication_is_visible_at_once(client, data):
    routes = (SEARCH, f"{SEARCH}?limit=2", DETAIL, TRENDS, f"{TRENDS}?format=csv")
    old = {route: client.get(route).content for route in routes}
    for number in range(3):
        publish_anew(data, f"{number}" * 64)
        for route in routes:
            new = client.get(route)
            assert status(new) == MISS and new.content != old[route]
            assert client.get(route).content == new.content
            old[route] = new.content


def test_a_cursor_of_older_data_is_refused_despite_the_cache(client, data):
    cursor = client.get(SEARCH, params={"limit": 2}).json()["next"]
    asked = {"limit": 2, "cursor": cursor}
    assert [status(client.get(SEARCH, params=asked)) for _ in range(2)] == [MISS, HIT]
    publish_anew(data, "9" * 64)
    assert client.get(SEARCH, params=asked).status_code == 422


def test_refusals_are_not_cached_and_have_no_cache_status(client, data):
    for route in (f"{SEARCH}?limit=0", "/api/v1/properties/nowhere", f"{TRENDS}?location=nowhere"):
        for _ in range(2):
            refused = client.get(route)
            assert refused.status_code in (404, 422) and "cache-status" not in refused.headers
    engine = connect(data)
    with writing(engine) as connection:
        connection.execute(publication.delete())
    engine.dispose()
    assert client.get(SEARCH).status_code == 503
    with writing(engine) as connection:
        connection.execute(publication.insert().values(warehouses.TOLD))
    engine.dispose()
    assert client.get(SEARCH).status_code == 200


def test_clients_share_cached_responses_if_their_scope_allows_the_route(contract, predictor, data, tmp_path):
    with run_service(contract, predictor, tmp_path, data) as place:
        for name in ("one", "other"):
            place.add_client(name, "analytics", "predict")
        tokens = [place.token(*grant) for grant in (("one", "analytics"), ("other", "analytics"), ("one", "predict"))]
        answers = []
        for token in [*tokens, None]:
            with place.session(token) as client:
                answers.append(client.get(DETAIL))
        assert [answer.status_code for answer in answers] == [200, 200, 403, 401]
        assert (status(answers[0]), status(answers[1])) == (MISS, HIT)
        assert answers[0].content == answers[1].content


class Unlike:
    def comparables(self, columns, count):
        return [[] for _ in columns["month"]]


def test_a_newer_model_does_not_use_the_cache_of_the_previous_one(contract, predictor, data, anywhere):
    newer = contract.model_copy(update={"model_version": "newer"})
    app = create_app(contract)
    app.state.cache, app.state.warehouse = cache_from_environment(contract), WarehouseClient(Warehouse(data))
    app.state.predictor = predictor
    with live_server(app) as url, httpx.Client(base_url=url) as client:
        assert [len(client.get(DETAIL).json()["comparables"]) for _ in range(2)] == [4, 4]
        app.state.predictor = Predictor(newer, Unlike(), predictor._model)
        assert client.get(DETAIL).json()["comparables"] == []


def test_services_of_two_contracts_share_a_redis_but_no_entry(contract, predictor, data, monkeypatch, one_redis):
    monkeypatch.setenv("HOMEI_CACHE", one_redis.url)
    other = contract.model_copy(update={"title": "Another town"})
    with contextlib.ExitStack() as stack:
        apps = [
            complete_app(each, predictor, data, cache_from_environment(each)) for each in (contract, other, contract)
        ]
        clients = [httpx.Client(base_url=stack.enter_context(live_server(app))) for app in apps]
        publish_anew(data, "7" * 64)
        assert [status(client.get(f"{SEARCH}?limit=9")) for client in clients] == [MISS, MISS, HIT]
