"""Kept answers over HTTP: the same bytes, never of an older version, and each valuation counted by itself."""

import contextlib

import httpx
import pytest
import redis
import warehouses
from around import kept, served, whole
from guarded import opened_in
from sqlalchemy import update

from homei.serve.predictor import Predictor
from homei.warehouse.connection import connect, writing
from homei.warehouse.tables import market_trends, property_analytics, publication

PRICE, SEARCH, TRENDS = "/api/v1/predict/price", "/api/v1/properties/search", "/api/v1/analytics/market-trends"
DETAIL = "/api/v1/properties/p001"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
MISS, HIT = "homei; fwd=miss", "homei; hit"


def status(response):
    assert response.status_code == 200, response.text
    return response.headers["cache-status"]


def publish_anew(settings, digest):
    """Another publication, of dearer homes and a dearer market."""
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
def test_an_answer_that_is_kept_is_the_answer_byte_for_byte(client, route, figures):
    first, second = client.get(route), client.get(route)
    assert (status(first), status(second)) == (MISS, HIT)
    assert first.content == second.content
    same = [name for name in first.headers if name not in ("cache-status", "x-request-id", "date")]
    assert all(first.headers[name] == second.headers[name] for name in same)
    assert (figures.counted("miss"), figures.counted("hit")) == (1, 1)


def test_a_question_in_other_words_is_the_same_question(client):
    assert status(client.get(SEARCH, params={"area_min": "50", "sort": "price", "limit": 5})) == MISS
    assert status(client.get(SEARCH, params={"limit": "5", "area_min": "50.0"})) == HIT
    assert status(client.get(SEARCH, params={"limit": "6", "area_min": "50.0"})) == MISS
    assert status(client.get(TRENDS, headers={"accept": "text/csv"})) == MISS
    assert status(client.get(TRENDS)) == MISS
    assert status(client.get(TRENDS, params={"format": "csv"})) == HIT


def test_what_is_published_under_a_running_service_is_answered_at_once(client, data):
    routes = (SEARCH, f"{SEARCH}?limit=2", DETAIL, TRENDS, f"{TRENDS}?format=csv")
    old = {route: client.get(route).content for route in routes}
    for number in range(3):
        publish_anew(data, f"{number}" * 64)
        for route in routes:
            new = client.get(route)
            assert status(new) == MISS and new.content != old[route]
            assert client.get(route).content == new.content
            old[route] = new.content


def test_a_cursor_of_older_data_is_refused_however_often_it_was_answered(client, data):
    cursor = client.get(SEARCH, params={"limit": 2}).json()["next"]
    asked = {"limit": 2, "cursor": cursor}
    assert [status(client.get(SEARCH, params=asked)) for _ in range(2)] == [MISS, HIT]
    publish_anew(data, "9" * 64)
    assert client.get(SEARCH, params=asked).status_code == 422


def test_refusals_are_not_kept_and_say_nothing_of_it(client, data):
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


def test_a_repeated_valuation_is_kept_with_what_it_includes(client):
    for include in ("", "comparables", "reasons", "comparables,reasons"):
        first, second = (client.post(PRICE, json=HOME, params={"include": include}) for _ in range(2))
        assert (status(first), status(second)) == (MISS, HIT)
        assert first.content == second.content
    assert status(client.post(PRICE, json=HOME, params={"include": "reasons,comparables"})) == HIT
    assert status(client.post(PRICE, json=HOME | {"floor": None}, params={"include": "reasons"})) == HIT
    assert status(client.post(PRICE, json=HOME | {"floor": 2})) == MISS
    assert status(client.post(PRICE, json=HOME | {"floor": 2}, params={"include": "reasons"})) == MISS
    refused = [client.post(PRICE, json=HOME | {"property_type": "house"}, params={"include": "reasons"}) for _ in "ab"]
    assert {response.status_code for response in refused} == {422}


def test_plain_valuations_stay_in_memory_and_push_nothing_else_out(service, predictor, contract, own, figures):
    entries = contract.limits.cache.entries
    with service(predictor) as client:
        client.get(SEARCH)
        for number in range(entries + 1):
            assert status(client.post(PRICE, json=HOME | {"square_meters": 50 + number})) == MISS
        assert status(client.post(PRICE, json=HOME | {"square_meters": 50 + entries})) == HIT
        assert status(client.post(PRICE, json=HOME | {"square_meters": 50})) == MISS
        with redis.Redis.from_url(own.url) as admin:
            assert admin.dbsize() == 1
        own.stop()
        assert status(client.post(PRICE, json=HOME | {"square_meters": 50})) == HIT
        assert client.get(SEARCH).status_code == 200 and not figures.is_up


def test_what_one_client_asked_is_kept_for_others_and_not_for_those_who_may_not_ask(
    contract, predictor, data, tmp_path
):
    questions = {
        "analytics": lambda client: client.get(DETAIL),
        "predict": lambda client: client.post(PRICE, json=HOME),
    }
    with opened_in(contract, predictor, tmp_path, data) as place:
        for name, scopes in {"one": tuple(questions), "other": tuple(questions)}.items():
            place.add(name, *scopes)
        for scope, ask in questions.items():
            lacking = next(name for name in questions if name != scope)
            tokens = [place.token("one", scope), place.token("other", scope), place.token("one", lacking), None]
            answers = []
            for token in tokens:
                with place.session(token) as client:
                    answers.append(ask(client))
            assert [answer.status_code for answer in answers] == [200, 200, 403, 401]
            assert (status(answers[0]), status(answers[1])) == (MISS, HIT)
            assert answers[0].content == answers[1].content


class Log:
    """Names answers one by one, as a PredictionLog does, and keeps what it was given."""

    def __init__(self):
        self.taken = []

    def take(self, scope, began, rows, answers, alone):
        self.taken.append((rows, answers))
        return str(len(self.taken))

    def refused(self, status):
        raise AssertionError(status)


@pytest.mark.parametrize("include", ["", "reasons"])
def test_each_kept_valuation_is_logged_under_a_name_of_its_own(service, predictor, anywhere, include):
    log = Log()
    with service(predictor, log) as client:
        answers = [client.post(PRICE, json=HOME, params={"include": include}) for _ in range(3)]
    assert [status(answer) for answer in answers] == [MISS, HIT, HIT]
    assert [answer.headers["x-prediction-id"] for answer in answers] == ["1", "2", "3"]
    assert log.taken[0] == log.taken[1] == log.taken[2]
    rows, logged = log.taken[0]
    assert logged == [answers[0].json()] and rows[0]["square_meters"] == 70.5


class InTurn:
    """A service's model that is replaced under it, as by a reload; each request meets the one that is there."""

    def __init__(self):
        self.now = None

    def answering(self, row, client):
        return self.now

    def comparables(self, home):
        return self.now.comparables(home)

    @property
    def stamp(self):
        return self.now.stamp


class Unlike:
    def comparables(self, columns, count):
        return [[] for _ in columns["month"]]


def test_another_model_never_answers_with_what_the_last_one_said(contract, predictor, service, anywhere):
    newer = contract.model_copy(update={"model_version": "newer"})
    other = Predictor(newer, predictor._history, predictor._model)
    models = InTurn()
    with service(models) as client:
        for models.now in (predictor, other, predictor):
            for include in ("comparables", "", "comparables", ""):
                answer = client.post(PRICE, json=HOME, params={"include": include})
                assert answer.json()["model_version"] == models.now.version
            assert len(client.get(DETAIL).json()["comparables"]) == 4
        models.now = Predictor(newer, Unlike(), predictor._model, "challenger")
        assert client.get(DETAIL).json()["comparables"] == []


def test_services_of_two_contracts_share_a_redis_and_no_answer(contract, predictor, data, monkeypatch, one_redis):
    monkeypatch.setenv("HOMEI_CACHE", one_redis.url)
    other = contract.model_copy(update={"title": "Another town"})
    with contextlib.ExitStack() as stack:
        apps = [whole(each, predictor, data, kept(each)) for each in (contract, other, contract)]
        clients = [httpx.Client(base_url=stack.enter_context(served(app))) for app in apps]
        publish_anew(data, "7" * 64)
        assert [status(client.get(f"{SEARCH}?limit=9")) for client in clients] == [MISS, MISS, HIT]
