import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_inputs import resolved

from homei.serving.problem_details import ProblemError
from homei.serving.property_model import MOST_EXPLAINED, property_model, rows_of

PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


def fields_refused(response, status=422):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert {*told} == {"type", "title", "status", "detail", "errors", "request_id"}
    assert (told["status"], told["request_id"]) == (status, response.headers["x-request-id"])
    assert told["title"] and told["detail"].startswith(f"{told['errors'][0]['field']}: ")
    assert all(problem["message"] for problem in told["errors"])
    return [problem["field"] for problem in told["errors"]]


def post_raw(client, body, path=PRICE, content_type="application/json"):
    return client.post(path, content=body, headers={"content-type": content_type})


def test_a_property_gets_a_price_an_interval_and_versions(client):
    price = round(math.exp(8.0) * 70.5, 2)
    assert client.post(PRICE, json=HOME).json() == {
        "predicted_price": price,
        "interval": {"low": round(0.95 * price, 2), "high": round(1.05 * price, 2), "level": 0.9},
        "confidence": 0.95,
        "flags": [],
        "currency": "EUR",
        "model_version": "0123456789ab",
        "data_version": "ba9876543210",
        "as_of": "2025-12-31",
    }


def test_all_fields_are_taken(client):
    whole = {
        **HOME,
        "bedrooms": 3,
        "bathrooms": 1,
        "year_built": 1998,
        "floor": 2,
        "latitude": 45.0,
        "longitude": -30.0,
        "property_id": "A1",
        "valuation_date": "2025-06-15",
        "plot": 4.5,
        "heating": "gas",
    }
    earlier = client.post(PRICE, json=whole).json()["predicted_price"]
    assert earlier < client.post(PRICE, json=whole | {"valuation_date": "2026-01-01"}).json()["predicted_price"]


def test_null_means_an_unknown_optional_field(client):
    assert (
        client.post(PRICE, json=HOME | {"floor": None, "valuation_date": None}).json()
        == client.post(PRICE, json=HOME).json()
    )


def test_an_unknown_location_is_valued_with_less_confidence(client):
    known, unknown = (client.post(PRICE, json=HOME | {"location": name}).json() for name in ("harbour", "the moor"))
    assert unknown["confidence"] < known["confidence"]
    assert (known["flags"], unknown["flags"]) == ([], ["unknown_location"])


def test_a_location_whose_sales_are_no_training_sales_is_valued_with_a_flag(client):
    ridge = HOME | {"location": "ridge"}
    alone = client.post(PRICE, json=ridge).json()
    assert alone["flags"] == ["thin_evidence"]
    assert client.post(BATCH, json={"properties": [HOME, ridge]}).json()["valuations"][1] == alone


def test_where_nothing_was_sold_and_nothing_like_it_within_reach_a_price_is_refused(client):
    refused = client.post(PRICE, json=HOME | {"location": "nowhere"})
    assert fields_refused(refused) == ["body"]
    message = refused.json()["errors"][0]["message"]
    assert message == (
        "insufficient market evidence for a valuation: no sale in this location and no comparable sale within reach"
    )
    rows = [HOME, HOME | {"location": "nowhere"}, HOME | {"square_meters": 400}]
    assert fields_refused(client.post(BATCH, json={"properties": rows})) == ["properties.1"]
    assert fields_refused(client.post(BATCH, json={"properties": rows[1:2]})) == ["properties.0"]
    assert fields_refused(client.post(f"{PRICE}?include=reasons", json=rows[1])) == ["body"]


def test_a_location_in_another_case_is_refused_with_the_one_that_has_sales(client):
    refused = client.post(PRICE, json=HOME | {"location": "HARBOUR"})
    assert refused.json()["errors"][0]["message"].endswith("; did you mean 'harbour'?")


def test_each_unusual_respect_of_a_property_is_flagged(client):
    large = client.post(PRICE, json=HOME | {"square_meters": 400, "floor": 35}).json()
    assert large["flags"] == ["unusual_area", "unlike_any_sale"]


def test_included_comparables_state_the_price_that_each_implies(client):
    answer = client.post(f"{PRICE}?include=comparables,reasons", json=HOME).json()
    assert len(answer["comparables"]) == 4 and "reasons" in answer
    assert answer["comparables"][0]["adjusted_price"] == 201_000.5
    assert "comparables" not in client.post(PRICE, json=HOME).json()


def test_a_batch_values_each_row_as_a_single_request(client, predictor, contract):
    rows = [
        HOME | {"square_meters": 20 + 7.3 * n, "floor": n, "valuation_date": f"2025-0{n % 9 + 1}-03"} for n in range(50)
    ]
    batch = client.post(BATCH, json={"properties": rows}).json()["valuations"]
    assert batch == [client.post(PRICE, json=row).json() for row in rows]


def cents(amount):
    return round(100 * amount)


def test_included_reasons_add_up_to_the_price_to_the_cent(client):
    plain = client.post(PRICE, json=HOME).json()
    answer = client.post(PRICE, params={"include": "reasons"}, json=HOME).json()
    reasons = answer.pop("reasons")
    assert answer == plain
    assert reasons["start"] == round(50 * math.exp(8.0), 2)
    assert [part["feature"] for part in reasons["contributions"]] == ["area", "place", "floor"]
    amounts = [part["amount"] for part in reasons["contributions"]]
    assert amounts[0] > amounts[1] > amounts[2] == 0
    assert cents(reasons["start"]) + sum(map(cents, amounts)) == cents(plain["predicted_price"])


def test_a_batch_explains_each_row_as_a_single_request_does(client):
    rows = [HOME | {"square_meters": 20 + 7.3 * n} for n in range(20)]
    batch = client.post(BATCH, params={"include": "reasons"}, json={"properties": rows}).json()["valuations"]
    assert batch == [client.post(f"{PRICE}?include=reasons", json=row).json() for row in rows]
    assert all("reasons" in answer for answer in batch)


@pytest.mark.parametrize("query", ["", "include=", "include=%20reasons,reasons&include=reasons"])
def test_include_may_be_empty_or_repeat_a_part(client, query):
    answer = client.post(f"{PRICE}?{query}", json=HOME)
    assert answer.status_code == 200
    assert ("reasons" in answer.json()) == ("reasons" in query)


@pytest.mark.parametrize("query", ["include=reason", "include=reasons,comparison", "include=reasons,"])
@pytest.mark.parametrize(("path", "body"), [(PRICE, HOME), (BATCH, {"properties": [HOME]})])
def test_an_unknown_part_to_include_is_refused_with_the_known_ones(client, query, path, body):
    refused = client.post(f"{path}?{query}", json=body)
    assert fields_refused(refused) == ["include"]
    assert refused.json()["errors"][0]["message"] == "input should be 'comparables' or 'reasons'"
    assert refused.json()["errors"][0]["value"] != "reasons"


def test_a_model_without_reasons_refuses_to_include_them(client):
    house = HOME | {"property_type": "house"}
    assert client.post(PRICE, json=house).status_code == 200
    refused = client.post(f"{PRICE}?include=reasons", json=house)
    assert fields_refused(refused) == ["include"]
    assert "doesn't tell" in refused.json()["errors"][0]["message"]


def test_no_more_rows_are_explained_at_once_than_a_client_waits_for(contract, predictor):
    (row,) = rows_of([property_model(contract).model_validate(HOME)], contract)
    assert len(predictor.value([row] * MOST_EXPLAINED, frozenset({"reasons"}))) == MOST_EXPLAINED
    with pytest.raises(ProblemError, match=f"properties: should hold 1 to {MOST_EXPLAINED} rows"):
        predictor.value([row] * (MOST_EXPLAINED + 1), frozenset({"reasons"}))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"square_meters": None}, "square_meters"),
        ({"square_meters": "70.5"}, "square_meters"),
        ({"square_meters": True}, "square_meters"),
        ({"square_meters": [70]}, "square_meters"),
        ({"square_meters": 0}, "square_meters"),
        ({"square_meters": -1}, "square_meters"),
        ({"square_meters": 501}, "square_meters"),
        ({"square_meters": 1e308}, "square_meters"),
        ({"square_meters": 10**300}, "square_meters"),
        ({"square_meters": 10**400}, "square_meters"),
        ({"property_type": "castle"}, "property_type"),
        ({"property_type": 1}, "property_type"),
        ({"location": ""}, "location"),
        ({"location": "  "}, "location"),
        ({"location": "x" * 201}, "location"),
        ({"location": {"town": 1}}, "location"),
        ({"bedrooms": -1}, "bedrooms"),
        ({"bathrooms": 1000}, "bathrooms"),
        ({"floor": "ground"}, "floor"),
        ({"year_built": 2027}, "year_built"),
        ({"year_built": 2026, "valuation_date": "2025-12-01"}, "year_built"),
        ({"latitude": 45.0}, "longitude"),
        ({"longitude": -30.0}, "latitude"),
        ({"latitude": 10.0, "longitude": -30.0}, "latitude"),
        ({"plot": 10}, "plot"),
        ({"heating": 3}, "heating"),
        ({"price": 100}, "price"),
        ({"valuation_date": "2026-02-01"}, "valuation_date"),
        ({"valuation_date": "2024-12-31"}, "valuation_date"),
        ({"valuation_date": "2025-02-30"}, "valuation_date"),
        ({"valuation_date": "20250203"}, "valuation_date"),
        ({"valuation_date": 20250203}, "valuation_date"),
        ({"valuation_date": "0000-00-00"}, "valuation_date"),
        ({"x" * 500: 1}, "x" * 100 + "…"),
    ],
)
def test_what_is_wrong_with_a_field_is_refused_by_its_name(client, change, field):
    assert fields_refused(client.post(PRICE, json=HOME | change)) == [field]
    assert fields_refused(client.post(BATCH, json={"properties": [HOME, HOME | change]})) == [f"properties.1.{field}"]


@pytest.mark.parametrize("name", HOME)
def test_a_missing_field_is_named(client, name):
    given_up = {key: value for key, value in HOME.items() if key != name}
    assert fields_refused(client.post(PRICE, json=given_up)) == [name]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_a_number_that_is_none_is_refused(client, number):
    body = json.dumps(HOME).replace("70.5", number)
    assert fields_refused(post_raw(client, body)) == ["square_meters"]


def test_a_slip_in_a_name_gets_a_hint(client):
    response = client.post(PRICE, json=HOME | {"sqare_meters": 70})
    assert "did you mean square_meters?" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"nope",
        b"{",
        b"[" * 50_000,
        b'{"square_meters":' + b'{"a":' * 10_000,
        b'{"location": "\xff"}',
        b'{"location": "\\ud800"}',
        b'\xef\xbb\xbf{"square_meters": 70}',
        b'{"square_meters": 1' + b"0" * 5000 + b"}",
        json.dumps(HOME).encode("utf-16"),
        json.dumps(HOME).encode() + b" trailing",
    ],
)
@pytest.mark.parametrize("path", [PRICE, BATCH])
def test_a_body_that_is_no_json_is_refused(client, body, path):
    assert fields_refused(post_raw(client, body, path), 400) == ["body"]


@pytest.mark.parametrize("body", ["[]", "5", '"text"', "null", "true"])
@pytest.mark.parametrize("path", [PRICE, BATCH])
def test_json_that_is_no_object_is_refused(client, body, path):
    refused = post_raw(client, body, path)
    assert fields_refused(refused) == ["body"]
    assert refused.json()["detail"].startswith("body: should be an object")


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ({}, "properties"),
        ({"properties": []}, "properties"),
        ({"properties": {}}, "properties"),
        ({"properties": None}, "properties"),
        ({"properties": [HOME] * 51}, "properties"),
        ({"properties": [HOME], "more": 1}, "more"),
        ({"properties": [HOME, []]}, "properties.1"),
        ({"properties": [HOME, None]}, "properties.1"),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused(client, batch, field):
    assert fields_refused(client.post(BATCH, json=batch)) == [field]


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("POST", "/api/v1/predict/price?inculde=reasons", "there is no such parameter; did you mean include?"),
        ("POST", "/api/v1/predict/batch?x=1", "there is no such parameter"),
        ("POST", "/api/v1/feedback?key=1", "there is no such parameter"),
        ("GET", "/api/v1/properties/p001?fields=price", "there is no such parameter"),
        ("GET", "/api/v1/properties/search?prize_max=1", "there is no such parameter; did you mean price_max?"),
        ("GET", "/api/v1/analytics/market-trends?month=3", "there is no such parameter; did you mean months?"),
    ],
)
def test_an_unknown_query_parameter_is_refused(client, method, path, message):
    body = {"json": HOME if "price" in path else {"properties": [HOME]}} if method == "POST" else {}
    if "feedback" in path:
        body = {
            "json": {"prediction_id": "a", "sold_on": "2025-11-03", "price": 1},
            "headers": {"idempotency-key": "k"},
        }
    response = client.request(method, path, **body)
    assert response.status_code == 422, response.text
    (problem,) = response.json()["errors"]
    assert (problem["field"], problem["message"]) == (path.partition("?")[2].partition("=")[0], message)


def test_include_may_be_repeated(client):
    response = client.post("/api/v1/predict/price?include=reasons&include=comparables", json=HOME)
    assert {"reasons", "comparables"} <= response.json().keys()


def test_the_first_of_very_many_unknown_fields_is_named(client):
    assert fields_refused(client.post(PRICE, json={f"field{n}": n for n in range(5000)})) == ["field0"]


def test_all_wrong_fields_of_all_rows_are_named_together(client):
    rows = [HOME | {"floor": "x", "bedrooms": "y"}, HOME, {"location": "harbour"}]
    assert fields_refused(client.post(BATCH, json={"properties": rows})) == [
        "properties.0.bedrooms",
        "properties.0.floor",
        "properties.2.square_meters",
        "properties.2.property_type",
    ]


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_refused(client, kind):
    assert fields_refused(post_raw(client, json.dumps(HOME), content_type=kind), 415) == ["content-type"]


def test_a_compressed_body_is_refused(client):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert fields_refused(client.post(PRICE, content=b"\x1f\x8b", headers=headers), 415) == ["content-encoding"]


def test_utf8_may_be_named(client):
    assert post_raw(client, json.dumps(HOME), content_type="application/json; charset=UTF-8").status_code == 200


def test_other_paths_and_methods_are_refused_in_the_same_shape(client):
    assert fields_refused(client.get("/api/v1/predict"), 404) == ["path"]
    assert fields_refused(client.post(PRICE + "/", json=HOME), 404) == ["path"]
    refused = client.get(PRICE)
    assert fields_refused(refused, 405) == ["method"]
    assert refused.headers["allow"] == "POST"


def test_openapi_shows_the_sources_own_fields_and_examples(client):
    api = client.get("/openapi.json").json()
    body = api["paths"][PRICE]["post"]["requestBody"]["content"]["application/json"]
    assert client.post(PRICE, json=body["example"]).status_code == 200
    schema = resolved(api, body["schema"])
    assert schema["required"] == ["square_meters", "property_type", "location"]
    assert schema["properties"]["square_meters"]["maximum"] == 500
    assert {"plot", "heating"} <= set(schema["properties"])
    batch = api["paths"][BATCH]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post(BATCH, json=batch).status_code == 200
    assert {"200", "400", "413", "415", "422"} <= set(api["paths"][BATCH]["post"]["responses"])


def test_openapi_shows_what_may_be_included(client):
    api = client.get("/openapi.json").json()
    for path in (PRICE, BATCH):
        (parameter,) = api["paths"][path]["post"]["parameters"]
        assert (parameter["name"], parameter["schema"]["items"]["enum"]) == ("include", ["comparables", "reasons"])
    assert set(api["components"]["schemas"]["Reasons"]["properties"]) == {"start", "contributions"}
    assert "reasons" not in api["components"]["schemas"]["Valuation"]["required"]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)
names = st.sampled_from([*HOME, "bedrooms", "floor", "latitude", "longitude", "valuation_date", "plot", "properties"])
settled = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settled
@given(body=st.binary(max_size=300), path=st.sampled_from([PRICE, BATCH]))
def test_no_bytes_make_the_service_fail(client, body, path):
    assert 400 <= post_raw(client, body, path).status_code < 500


@settled
@given(given_fields=st.dictionaries(names, anything, max_size=6), start=st.sampled_from([{}, HOME]))
def test_no_json_makes_the_service_fail(client, given_fields, start):
    single = post_raw(client, json.dumps(start | given_fields))
    batch = post_raw(client, json.dumps({"properties": [start | given_fields]}), BATCH)
    assert single.status_code in (200, 400, 422)
    assert single.status_code == batch.status_code
    if single.status_code == 200:
        assert batch.json()["valuations"] == [single.json()]
