"""Strings that would be SQL, in every place that OpenAPI lists: they are looked for, kept or refused, and never run."""

import base64
import itertools
import re
import time
from collections import Counter

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

HOSTILE = [
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
KEPT = (tables.feedback, tables.predictions, tables.audit)


def rows(place, table):
    with place.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def snapshot(place):
    """All that no request may change: the rows of each table that isn't only added to, and the tables there are."""
    names = sorted(inspect(place.engine).get_table_names())
    fixed = [table for table in tables.metadata.sorted_tables if table not in KEPT]
    return names, {table.name: sorted(map(str, rows(place, table))) for table in fixed}


def found(asked: SearchParams) -> list[str]:
    """What a search finds, by looking at each home."""

    def fits(home):
        words, sought = address_words(home["address"] or ""), address_words(asked.address or "")
        named = all(word in words for word in sought[:-1]) and any(w.startswith(sought[-1]) for w in words if sought)
        return home["price"] is not None and all(
            [
                asked.location in (None, home["location"]),
                asked.property_type in (None, home["property_type"]),
                asked.address is None or named,
            ]
        )

    homes = sorted(filter(fits, map(warehouses.home, range(warehouses.HOMES))), key=lambda home: home["price"])
    return [home["property_id"] for home in homes]


class Oracle:
    """What the service should answer, told without a database."""

    def __init__(self, contract, predictor):
        self.contract, self.predictor, self.model = contract, predictor, property_model(contract)
        self.trends = {period["location"] for period in warehouses.periods()}

    def expect(self, place, asked, answer):
        """Raises AssertionError where an answer is not what it should be."""
        if place.where == "header" and place.name == "X-Request-Id":
            assert answer.status_code in (200, 201, 401), answer.text
            assert answer.headers["x-request-id"] != asked.headers["x-request-id"] or re.fullmatch(
                r"[\w.-]+", asked.headers["x-request-id"]
            )
        else:
            getattr(self, place.path.split("/")[3])(asked, answer)

    def properties(self, asked, answer):
        if not asked.url.path.endswith("/search"):
            assert answer.status_code == (200 if asked.url.path.endswith("/p001") else 404)
            return
        try:
            search = SearchParams.model_validate(dict(asked.url.params))
            assert search.cursor is None
        except (ValidationError, AssertionError):
            assert answer.status_code == 422, answer.text
            return
        assert [home["property_id"] for home in answer.json()["properties"]] == found(search)[: search.limit]
        assert answer.json()["total"] == {"count": len(found(search)), "exact": True}

    def analytics(self, asked, answer):
        try:
            trends = TrendParams.model_validate(dict(asked.url.params))
        except ValidationError:
            assert answer.status_code == 422, answer.text
            return
        known = trends.property_type is None and (trends.location or "") in self.trends
        assert answer.status_code == (200 if known else 404), answer.text

    def predict(self, asked, answer):
        body = parse_json(asked.read())
        batch = asked.url.path.endswith("batch")
        try:
            assert not asked.url.query
            rows = [self.model.model_validate(row) for row in (body["properties"] if batch else [body])]
            rows = rows_of(rows, self.contract)
        except (ValidationError, ProblemError, AssertionError):
            assert answer.status_code == 422, answer.text
            return
        valued = self.predictor.value(rows)
        assert answer.json() == ({"valuations": valued} if batch else valued[0])

    def feedback(self, asked, answer):
        try:
            sold = SaleReport.model_validate_json(asked.read())
            named = sold.property_id == "p001" or (sold.property_id is None and sold.prediction_id is not None)
            assert named and re.fullmatch("[!-~]{1,200}", asked.headers["idempotency-key"])
        except (ValidationError, ProblemError, AssertionError):
            assert answer.status_code == 422, answer.text
            return
        assert (answer.status_code, answer.json()["prediction_id"]) == (201, sold.prediction_id), answer.text

    def token(self, asked, answer):
        assert answer.status_code in (400, 401), answer.text
        assert "access_token" not in answer.json()


def test_no_string_in_any_field_is_run(service_on_each_database, contract, predictor):
    oracle, keys = Oracle(contract, predictor), itertools.count()
    before, kept = (
        snapshot(service_on_each_database),
        {table.name: len(rows(service_on_each_database, table)) for table in KEPT},
    )
    statuses, told = Counter(), []
    with service_on_each_database.session(
        service_on_each_database.token("boss", "predict", "analytics", "feedback")
    ) as client:
        places = list(inputs(client.get("/openapi.json").json()))
        for place, text in itertools.product(places, HOSTILE):
            asked = request(client, place, text)
            if place.path.endswith("/token"):
                del asked.headers["authorization"]
            if place.path.endswith("/feedback") and place.name != "idempotency-key":
                asked.headers["idempotency-key"] = f"injected-{next(keys)}"
            began = time.monotonic()
            answer = client.send(asked)
            assert time.monotonic() - began < 5, f"{place}: {text} was waited for"
            oracle.expect(place, asked, answer)
            statuses[answer.status_code] += 1
            told += [(place, answer)]
    assert len(places) >= 60 and set(statuses) <= {200, 201, 400, 401, 404, 409, 422}
    named = [answer.headers["x-prediction-id"] for _, answer in told if "x-prediction-id" in answer.headers]
    service_on_each_database.wait_until(
        lambda: len(rows(service_on_each_database, tables.predictions)) - kept["predictions"] >= len(named)
    )
    service_on_each_database.wait_until(
        lambda: len(rows(service_on_each_database, tables.audit)) - kept["audit"] >= len(told)
    )
    assert snapshot(service_on_each_database) == before
    sold = [answer for _, answer in told if answer.status_code == 201]
    assert len(rows(service_on_each_database, tables.feedback)) - kept["feedback"] == len(sold) > len(HOSTILE)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_no_string_in_a_header_that_shows_who_asks_is_run(service_on_each_database, scheme, text):
    before = snapshot(service_on_each_database)
    shown = base64.b64encode(f"{text}:{text}".encode()).decode() if scheme == "basic" else text
    with service_on_each_database.session() as client:
        who = {"authorization": f"{scheme} {shown}".encode()}
        asked = [client.post("/api/v1/token", data={"grant_type": "client_credentials"}, headers=who)]
        asked += [client.get("/api/v1/properties/search", headers=who)]
    assert [answer.status_code for answer in asked] == [401, 401]
    assert snapshot(service_on_each_database) == before


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_kept_is_kept_as_it_was_sent(service_on_each_database, text):
    key = f"kept-{HOSTILE.index(text)}"
    home = {"square_meters": 70.5, "property_type": "flat", "location": text, "heating": text, "property_id": text}
    with service_on_each_database.session(service_on_each_database.token("boss", "predict", "feedback")) as client:
        named = client.post("/api/v1/predict/price", json=home).headers["x-prediction-id"]
        sale = {"prediction_id": text, "sold_on": "2025-11-03", "price": 1}
        assert client.post("/api/v1/feedback", json=sale, headers={"idempotency-key": key}).status_code == 201

    def line():
        return [row for row in rows(service_on_each_database, tables.predictions) if row["prediction_id"] == named]

    service_on_each_database.wait_until(line)
    (kept,) = line()
    assert (kept["property_id"], kept["inputs"]["location"], kept["inputs"]["heating"]) == (text, text, text)
    assert [row["prediction_id"] for row in rows(service_on_each_database, tables.feedback) if row["key"] == key] == [
        text
    ]
