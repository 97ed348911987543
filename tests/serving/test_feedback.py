"""Prices that homes did sell at: kept once, whatever is sent again, and by whomever at the same time."""

import datetime
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from homei.serving.routers.feedback import FeedbackReceipt

FEEDBACK = "/api/v1/feedback"
SALE = {"property_id": "p001", "sold_on": "2025-11-03", "price": 312_000}
numbers = itertools.count()


@pytest.fixture
def key():
    return f"sale-{next(numbers)}"


def tell(client, key, body):
    return client.post(FEEDBACK, json=body, headers={"idempotency-key": key})


def refused(response, status=422):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    return [problem["field"] for problem in response.json()["errors"]]


def test_a_sale_is_kept_and_the_same_again_changes_nothing(reader, key):
    first = tell(reader, key, SALE)
    told = FeedbackReceipt.model_validate(first.json())
    assert (first.status_code, told.price, told.prediction_id) == (201, 312_000.0, None)
    again = tell(reader, key, SALE)
    assert (again.status_code, again.json()) == (200, first.json())
    assert refused(tell(reader, key, SALE | {"price": 1}), 409) == ["idempotency-key"]
    assert tell(reader, key, SALE).json() == first.json()


def test_of_many_at_once_under_one_key_one_is_kept(reader, key):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda price: tell(reader, key, SALE | {"price": price}), [1, 2] * 8))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201] + [409] * 8
    assert len({answer.text for answer in answers if answer.status_code < 300}) == 1


def test_an_answer_may_be_named_instead_of_a_property(reader, key):
    sale = {"prediction_id": "a1", "sold_on": "2025-11-03", "price": 1.5}
    assert tell(reader, key, sale).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"property_id": None}, "property_id"),
        ({"property_id": "p999"}, "property_id"),
        ({"property_id": "'; DROP TABLE feedback; --"}, "property_id"),
        ({"property_id": "\0"}, "property_id"),
        ({"property_id": 5}, "property_id"),
        ({"prediction_id": ""}, "prediction_id"),
        ({"sold_on": "2999-01-01"}, "sold_on"),
        ({"sold_on": "1899-12-31"}, "sold_on"),
        ({"sold_on": "20250101"}, "sold_on"),
        ({"sold_on": 5}, "sold_on"),
        ({"sold_on": None}, "sold_on"),
        ({"price": 0}, "price"),
        ({"price": -1}, "price"),
        ({"price": "1"}, "price"),
        ({"price": 1e308}, "price"),
        ({"price": True}, "price"),
        ({"prise": 1}, "prise"),
    ],
)
def test_what_is_wrong_with_a_sale_is_named(reader, key, change, field):
    assert refused(tell(reader, key, SALE | change)) == [field]


def test_what_sold_after_tomorrow_is_refused(reader, key):
    later = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=2)
    assert refused(tell(reader, key, SALE | {"sold_on": str(later)})) == ["sold_on"]


@pytest.mark.parametrize("given", [[], ["a", "b"], ["x" * 201], [""], ["a b"], [b"\xff"]])
def test_a_key_is_required_once_and_plain(reader, given):
    headers = [("content-type", "application/json"), *(("idempotency-key", value) for value in given)]
    assert refused(reader.post(FEEDBACK, content=json.dumps(SALE), headers=headers)) == ["idempotency-key"]


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b"NaN", 422), (b"5", 422)])
def test_a_body_that_is_no_sale_is_refused(reader, key, body, status):
    headers = {"content-type": "application/json", "idempotency-key": key}
    assert refused(reader.post(FEEDBACK, content=body, headers=headers), status) == ["body"]
