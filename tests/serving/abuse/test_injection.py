"""SQL and search syntax in every input that OpenAPI lists is treated as text, and never executed."""

import base64
import itertools
import re
import time

import pytest
import warehouses
from openapi_inputs import inputs, request
from pydantic import ValidationError
from sqlalchemy import inspect, select

from homei.serving.problem_details import ProblemError
from homei.serving.property_model import property_model, rows_of
from homei.serving.request_bodies import parse_json
from homei.serving.routers.feedback import SaleReport
from homei.serving.search_params import SearchParams
from homei.serving.trend_responses import TrendParams
from homei.warehouse import tables
from homei.warehouse.search_terms import address_words

INJECTIONS = [
    "'",
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DELETE FROM property_analytics; --",
    "1; DROP TABLE feedback; --",
    "harbour' UNION SELECT secret_hash FROM clients --",
    "harbour'/**/AND/**/1=(SELECT/**/1)--",
    "\\'; SELECT pg_sleep(9); --",
    "'||(SELECT randomblob(999999999))||'",
    "1) OR (1=1",
    "harbour%",
    "_______",
    "$$; DROP TABLE audit; $$",
    ":location",
    "%(location)s %s ?",
    '" OR property_words MATCH "mill',
    "mill* OR NEAR(lane hill)",
    "mill & !lane | (1:*)",
    "=cmd|' /C calc'!A0",
    "1 Mill Lane'); --",
    "harbour",
]
APPEND_ONLY = (tables.feedback, tables.predictions, tables.audit)


def rows(service, table):
    with service.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def count_append_only_rows(service):
    return {table.name: len(rows(service, table)) for table in APPEND_ONLY}


def snapshot(service):
    """What no request may change: the names of all tables, and the rows of those that are not append-only."""
    names = sorted(inspect(service.engine).get_table_names())
    fixed = [table for table in tables.metadata.sorted_tables if table not in APPEND_ONLY]
    return names, {table.name: sorted(map(str, rows(service, table))) for table in fixed}


def matching_ids(params: SearchParams) -> list[str]:
    """The ids of properties that match a search, found by comparing each property in Python."""

    def matches(row):
        words, terms = address_words(row["address"] or ""), address_words(params.address or "")
        has_terms = all(term in words for term in terms[:-1]) and any(w.startswith(terms[-1]) for w in words if terms)
        return row["price"] is not None and all(
            [
                params.location in (None, row["location"]),
                params.property_type in (None, row["property_type"]),
                params.address is None or has_terms,
            ]
        )

    matching = sorted(filter(matches, map(warehouses.home, range(warehouses.HOMES))), key=lambda row: row["price"])
    return [row["property_id"] for row in matching]


class ExpectedResponses:
    """Checks responses against expectations that are computed without a database."""

    def __init__(self, contract, predictor):
        self.contract, self.predictor, self.model = contract, predictor, property_model(contract)
        self.locations = {period["location"] for period in warehouses.periods()}

    def check(self, changed, request, response):
        """Raises AssertionError if a response is not the expected one."""
        if changed.where == "header" and changed.name == "X-Request-Id":
            assert response.status_code in (200, 201, 401), response.text
            assert response.headers["x-request-id"] != request.headers["x-request-id"] or re.fullmatch(
                r"[\w.-]+", request.headers["x-request-id"]
            )
        else:
            getattr(self, f"check_{changed.path.split('/')[3]}")(request, response)

    def check_properties(self, request, response):
        if not request.url.path.endswith("/search"):
            assert response.status_code == (200 if request.url.path.endswith("/p001") else 404)
            return
        try:
            params = SearchParams.model_validate(dict(request.url.params))
            assert params.cursor is None
        except (ValidationError, AssertionError):
            assert response.status_code == 422, response.text
            return
        ids = matching_ids(params)
        assert [row["property_id"] for row in response.json()["properties"]] == ids[: params.limit]
        assert response.json()["total"] == {"count": len(ids), "exact": True}

    def check_analytics(self, request, response):
        try:
            params = TrendParams.model_validate(dict(request.url.params))
        except ValidationError:
            assert response.status_code == 422, response.text
            return
        is_known = params.property_type is None and (params.location or "") in self.locations
        assert response.status_code == (200 if is_known else 404), response.text

    def check_predict(self, request, response):
        body = parse_json(request.read())
        is_batch = request.url.path.endswith("batch")
        try:
            assert not request.url.query
            rows = [self.model.model_validate(row) for row in (body["properties"] if is_batch else [body])]
            rows = rows_of(rows, self.contract)
        except (ValidationError, ProblemError, AssertionError):
            assert response.status_code == 422, response.text
            return
        valuations = self.predictor.value(rows)
        assert response.json() == ({"valuations": valuations} if is_batch else valuations[0])

    def check_feedback(self, request, response):
        try:
            report = SaleReport.model_validate_json(request.read())
            assert report.property_id == "p001" or (report.property_id is None and report.prediction_id is not None)
            assert re.fullmatch("[!-~]{1,200}", request.headers["idempotency-key"])
        except (ValidationError, ProblemError, AssertionError):
            assert response.status_code == 422, response.text
            return
        assert (response.status_code, response.json()["prediction_id"]) == (201, report.prediction_id), response.text

    def check_token(self, request, response):
        assert response.status_code in (400, 401), response.text
        assert "access_token" not in response.json()


def send_injections(client, expected):
    """Sends each text in each input; returns the number of inputs and all responses."""
    keys, responses = itertools.count(), []
    changeable = list(inputs(client.get("/openapi.json").json()))
    for changed, text in itertools.product(changeable, INJECTIONS):
        sent = request(client, changed, text)
        if changed.path.endswith("/token"):
            del sent.headers["authorization"]
        if changed.path.endswith("/feedback") and changed.name != "idempotency-key":
            sent.headers["idempotency-key"] = f"injected-{next(keys)}"
        started = time.monotonic()
        response = client.send(sent)
        assert time.monotonic() - started < 5, f"{changed}: {text} took too long"
        expected.check(changed, sent, response)
        responses.append(response)
    return len(changeable), responses


@pytest.mark.slow
def test_injected_text_in_any_input_is_not_executed(service_on_each_database, contract, predictor):
    service = service_on_each_database
    before, counts = snapshot(service), count_append_only_rows(service)
    with service.session(service.token("boss", "predict", "analytics", "feedback")) as client:
        n_inputs, responses = send_injections(client, ExpectedResponses(contract, predictor))
    assert n_inputs >= 60
    assert {response.status_code for response in responses} <= {200, 201, 400, 401, 404, 409, 422}
    n_predictions = sum("x-prediction-id" in response.headers for response in responses)

    def all_are_recorded():
        added = {name: count - counts[name] for name, count in count_append_only_rows(service).items()}
        return added["predictions"] >= n_predictions and added["audit"] >= len(responses)

    service.wait_until(all_are_recorded)
    assert snapshot(service) == before
    n_stored = sum(response.status_code == 201 for response in responses)
    assert len(rows(service, tables.feedback)) - counts["feedback"] == n_stored > len(INJECTIONS)


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_injected_text_in_credentials_is_not_executed(service_on_each_database, scheme, text):
    before = snapshot(service_on_each_database)
    credentials = base64.b64encode(f"{text}:{text}".encode()).decode() if scheme == "basic" else text
    with service_on_each_database.session() as client:
        headers = {"authorization": f"{scheme} {credentials}".encode()}
        responses = [client.post("/api/v1/token", data={"grant_type": "client_credentials"}, headers=headers)]
        responses += [client.get("/api/v1/properties/search", headers=headers)]
    assert [response.status_code for response in responses] == [401, 401]
    assert snapshot(service_on_each_database) == before


@pytest.mark.parametrize("text", INJECTIONS)
def test_injected_text_is_stored_unchanged(service_on_each_database, text):
    service, key = service_on_each_database, f"stored-{INJECTIONS.index(text)}"
    row = {"square_meters": 70.5, "property_type": "flat", "location": text, "heating": text, "property_id": text}
    with service.session(service.token("boss", "predict", "feedback")) as client:
        prediction_id = client.post("/api/v1/predict/price", json=row).headers["x-prediction-id"]
        sale = {"prediction_id": text, "sold_on": "2025-11-03", "price": 1}
        assert client.post("/api/v1/feedback", json=sale, headers={"idempotency-key": key}).status_code == 201

    def stored_predictions():
        return [row for row in rows(service, tables.predictions) if row["prediction_id"] == prediction_id]

    service.wait_until(stored_predictions)
    (stored,) = stored_predictions()
    assert (stored["property_id"], stored["inputs"]["location"], stored["inputs"]["heating"]) == (text, text, text)
    assert [row["prediction_id"] for row in rows(service, tables.feedback) if row["key"] == key] == [text]
