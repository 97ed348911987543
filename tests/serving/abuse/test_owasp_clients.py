"""OWASP's API Security Top 10 of 2023, risks 1 to 6: authorisation and resource limits."""

import httpx
import pytest
import warehouses
from authenticated_service import UNSET_VARIABLE, run_service
from openapi_inputs import inputs, request
from sqlalchemy import select

from homei.serving.auth.route_access import SCOPES
from homei.serving.property_responses import PropertyDetail, PropertyPage, PropertySummary
from homei.serving.schemas import Valuation
from homei.serving.trend_responses import MarketTrends
from homei.warehouse.config import PublishConfig
from homei.warehouse.tables import audit, feedback

PRICE, BATCH, FEEDBACK = "/api/v1/predict/price", "/api/v1/predict/batch", "/api/v1/feedback"
SEARCH, DETAIL, TRENDS = "/api/v1/properties/search", "/api/v1/properties/{}", "/api/v1/analytics/market-trends"
TOKEN = "/api/v1/token"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
SALE = {"property_id": "p001", "sold_on": "2025-11-03", "price": 312_000}


@pytest.fixture(scope="module")
def api(service):
    return httpx.get(f"{service.url}/openapi.json").json()


@pytest.fixture(scope="module")
def strict_service(contract, predictor, tmp_path_factory):
    """A service with realistic rates and lock-outs."""
    folder = tmp_path_factory.mktemp("strict_service")
    published = PublishConfig(address=UNSET_VARIABLE, file=str(folder / "warehouse.db"))
    warehouses.publish(published)
    with run_service(contract, predictor, folder, published) as place:
        yield place


def test_api1_object_level_authorization_feedback_belongs_to_its_client(service):
    """Feedback is stored by client and key. Another client's equal key reads and changes nothing."""
    service.add_client("first", "feedback")
    service.add_client("second", "feedback")
    key = {"idempotency-key": "the-same-key"}
    told = {}
    for number, name in enumerate(("first", "second")):
        with service.session(service.token(name, "feedback")) as client:
            answer = client.post(FEEDBACK, json=SALE | {"price": 1000 + number}, headers=key)
            assert answer.status_code == 201 and answer.json()["price"] == 1000 + number
            told[name] = answer.json()
    with service.session(service.token("first", "feedback")) as client:
        assert client.post(FEEDBACK, json=SALE | {"price": 1000}, headers=key).json() == told["first"]
        assert client.post(FEEDBACK, json=SALE | {"price": 1001}, headers=key).status_code == 409
    with service.engine.connect() as connection:
        kept = connection.execute(select(feedback).where(feedback.c.key == "the-same-key")).all()
    assert {(row.client, row.price) for row in kept} == {("first", 1000), ("second", 1001)}


def test_api1_object_level_authorization_prediction_ids_cannot_be_guessed(service):
    """Feedback refers to a valuation by its prediction_id, which has eighty random bits."""
    with service.session(service.token("boss", "predict")) as client:
        names = [client.post(PRICE, json=HOME).headers["x-prediction-id"] for _ in range(50)]
    assert len({name[-20:] for name in names}) == 50
    assert all(len({name[-position] for name in names}) > 5 for position in range(1, 17))


def test_api2_authentication_guesses_are_limited_and_reveal_nothing(strict_service):
    """A wrong secret and an unknown client get the same response, and a lock-out after a few attempts."""
    strict_service.add_client("real", "predict")

    def guess(client, name):
        given = {"grant_type": "client_credentials", "client_id": name, "client_secret": "x" * 43}
        return client.post(TOKEN, data=given)

    with strict_service.session() as client, strict_service.session() as other:
        known, unknown = guess(client, "real"), guess(other, "nobody")
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (401, known.content)
        guesses = [guess(client, "real").status_code for _ in range(6)]
        assert guesses == [401] * 4 + [429] * 2
        right = {
            "grant_type": "client_credentials",
            "client_id": "real",
            "client_secret": strict_service.secrets["real"],
        }
        assert client.post(TOKEN, data=right).status_code == 429


@pytest.mark.parametrize(
    ("path", "body", "more"),
    [
        (PRICE, HOME, {"predicted_price": 1}),
        (PRICE, HOME, {"client": "boss"}),
        (PRICE, HOME, {"__proto__": {"admin": True}}),
        (BATCH, {"properties": [HOME]}, {"variant": "challenger"}),
        (FEEDBACK, SALE, {"client": "first"}),
        (FEEDBACK, SALE, {"received_at": "2020-01-01T00:00:00Z"}),
        (FEEDBACK, SALE, {"key": "other"}),
    ],
)
def test_api3_object_property_level_authorization_undeclared_fields_are_refused(service, path, body, more):
    """Mass assignment: a field that OpenAPI does not list is refused, not ignored."""
    with service.session(service.token("boss", "predict", "feedback")) as client:
        refused = client.post(path, json=body | more, headers={"idempotency-key": f"api3-{next(iter(more))}"})
    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.json()["errors"]] == list(more)


def test_api3_object_property_level_authorization_responses_have_the_declared_fields_only(service):
    """Excessive exposure: a response has the fields of its model, whatever columns the warehouse has."""
    with service.session(service.token("boss", "predict", "analytics")) as client:
        found = client.get(SEARCH).json()
        assert set(found) == set(PropertyPage.model_fields)
        assert set(found["properties"][0]) == set(PropertySummary.model_fields) - {"distance"}
        assert set(client.get(DETAIL.format("p001")).json()) == set(PropertyDetail.model_fields) - {"distance"}
        assert set(client.get(TRENDS).json()) == set(MarketTrends.model_fields)
        extras = {"reasons", "comparables", "variant"}
        assert set(client.post(PRICE, json=HOME).json()) == set(Valuation.model_fields) - extras


def test_api4_resource_consumption_every_quantity_has_a_limit(strict_service, contract):
    """Clients have a rate; bodies, rows, pages, months and parameters have maxima."""
    strict_service.add_client("greedy", "predict", "analytics", rate=10)
    many, huge = contract.limits.max_batch_rows + 1, contract.limits.max_body_bytes + 1
    with strict_service.session(strict_service.token("greedy", "predict", "analytics")) as client:
        json_type = {"content-type": "application/json"}
        refused = [
            client.post(BATCH, json={"properties": [HOME] * many}),
            client.post(PRICE, content=b" " * huge, headers=json_type),
            client.get(SEARCH, params={"limit": 101}),
            client.get(SEARCH, params={"address": "a " * 11}),
            client.get(SEARCH, params={"latitude": 45, "longitude": -30, "radius": 50_001}),
            client.get(TRENDS, params={"months": 601}),
            client.get(f"{SEARCH}?{'a=1&' * 101}"),
        ]
        assert [answer.status_code for answer in refused] == [422, 413, 422, 422, 422, 422, 422]
        assert not any(answer.status_code >= 500 for answer in refused)
        statuses = [client.post(PRICE, json=HOME) for _ in range(25)]
    limited = [answer for answer in statuses if answer.status_code == 429]
    assert limited and all(int(answer.headers["retry-after"]) >= 1 for answer in limited)


def test_api5_function_level_authorization_each_operation_needs_its_own_scope(service, api):
    """Each operation and /metrics answer 403 to tokens of other scopes, and 401 without a token."""
    places = {(place.method, place.path): place for place in inputs(api) if place.name == "X-Request-Id"}
    asked = 0
    for scope in SCOPES:
        with service.session(service.token("boss", scope)) as client, service.session() as nobody:
            for place in places.values():
                (needed,) = place.operation["security"] or [{"": None}]
                if "" in needed:
                    continue
                allowed = needed["client_credentials"] == [scope]
                answer = client.send(request(client, place, "a"))
                assert (answer.status_code != 403) == allowed, place
                assert nobody.send(request(nobody, place, "a")).status_code == 401
                asked += 1
            assert client.get("/metrics").status_code == (200 if scope == "admin" else 403)
    assert asked == len(SCOPES) * (len(places) - 1) == 24


def test_api5_function_level_authorization_no_other_spelling_of_a_path_or_method_gets_around_it(service):
    with service.session(service.token("boss", "feedback")) as client:
        for path in (
            PRICE,
            f"{PRICE}/",
            f"/{PRICE}",
            PRICE.upper(),
            PRICE.replace("predict", "%70redict"),
            f"{PRICE}?a",
        ):
            assert client.post(path, json=HOME).status_code in (403, 404)
        for header in ("x-http-method-override", "x-original-url", "x-rewrite-url", "x-forwarded-prefix"):
            assert client.get(SEARCH, headers={header: FEEDBACK}).status_code == 403


def test_api6_sensitive_business_flows_are_limited_by_client_and_audited(strict_service):
    """Drawing off all valuations, or flooding the sales that models are judged by: a client has one rate for all its
    tokens and addresses, a sale counts once however often it is told, and the trail says who asked for what."""
    strict_service.add_client("scraper", "predict", "feedback", rate=10)
    tokens = [strict_service.token("scraper", "predict", "feedback") for _ in range(4)]
    statuses, ids = [], []
    for number in range(40):
        with strict_service.session(tokens[number % 4]) as client:
            answer = client.post(FEEDBACK, json=SALE, headers={"idempotency-key": "flood"})
            statuses.append(answer.status_code)
            ids.append(answer.headers["x-request-id"])
    assert 20 <= sum(status < 300 for status in statuses) < 40 and 429 in statuses
    assert statuses.count(201) == 1
    with strict_service.engine.connect() as connection:
        assert len(connection.execute(select(feedback).where(feedback.c.key == "flood")).all()) == 1
    strict_service.audit_row(ids[-1])
    with strict_service.engine.connect() as connection:
        lines = connection.execute(select(audit.c.actor, audit.c.request_id).where(audit.c.request_id.in_(ids))).all()
    assert {line.request_id for line in lines} == set(ids)
    assert {line.actor for line in lines} == {"scraper"}
