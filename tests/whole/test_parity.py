"""One definition: what the service answers is what the model says of the features that Spark built."""

import contextlib
import sqlite3

import httpx
import numpy as np
import pandas as pd
import pytest
from project_copy import serving
from valuation_requests import to_numbers, to_requests

from homei.registry.appraise import VALUE_COLUMNS
from homei.storage import lake
from homei.training.encoding import columns_of
from homei.training.valuation_model import VALUATION, ValuationModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def held(rebuilt_city) -> pd.DataFrame:
    """The test set: the sales of the hold-out with their features."""
    with contextlib.chdir(rebuilt_city):
        predictions = lake.read(lake.PREDICTIONS)
        test_set = predictions.loc[predictions["part"] == "hold_out", ["transaction_id"]]
        return test_set.merge(lake.read(lake.TRAINING_SET), on="transaction_id", validate="one_to_one")


@pytest.fixture(scope="module")
def direct(rebuilt_city, held) -> np.ndarray:
    """price, low and high of each sale, by the model on Spark's features."""
    values = ValuationModel.load(rebuilt_city / VALUATION).value(columns_of(held))
    return np.stack([values.price, values.low, values.high], axis=1)


@pytest.fixture(scope="module")
def requests(held) -> list[dict]:
    return to_requests(held)


@pytest.fixture(scope="module")
def url(rebuilt_city):
    with serving(rebuilt_city) as address:
        yield address


def test_the_test_set_is_asked_for_with_all_that_the_register_knows(held, requests):
    assert len(requests) == len(held) > 2_500
    assert [one.get("property_id") for one in requests] == held["property_id"].tolist()
    months = {one["valuation_date"] for one in requests}
    assert months == {f"2025-{month:02}-01" for month in range(7, 13)}
    for name in ("bedrooms", "bathrooms", "floor"):
        assert 0 < sum(name not in one for one in requests) < len(requests)


def test_the_whole_test_set_over_http_equals_the_batch_prediction(url, requests, direct):
    answer = httpx.post(f"{url}/api/v1/predict/batch", json={"properties": requests}, timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    assert np.isfinite(direct).all()
    assert np.array_equal(to_numbers(answer.json()["valuations"]), direct)


def test_asked_one_by_one_they_are_the_same(url, requests, direct):
    some = range(0, len(requests), len(requests) // 200)
    with httpx.Client(base_url=url) as client:
        answers = [client.post("/api/v1/predict/price", json=requests[number]).json() for number in some]
    assert len(answers) >= 200
    assert np.array_equal(to_numbers(answers), direct[list(some)])


def test_every_property_in_the_warehouse_has_the_value_that_the_service_answers(rebuilt_city, url):
    with contextlib.closing(sqlite3.connect(rebuilt_city / "data/warehouse/homei.db")) as warehouse:
        query = (
            "select property_id, valued_price, valued_low, valued_high, confidence from property_analytics "
            "where valued_price is not null"
        )
        stored = pd.DataFrame(warehouse.execute(query).fetchall(), columns=["property_id", *VALUE_COLUMNS])
    with contextlib.chdir(rebuilt_city):
        homes = lake.read(lake.RESOLVED_PROPERTIES)
    assert 0.99 * len(homes) < len(stored) < 10_000
    asked = to_requests(stored[["property_id"]].merge(homes, on="property_id").assign(month=2026 * 12))
    answer = httpx.post(f"{url}/api/v1/predict/batch", json={"properties": asked}, timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    answers = answer.json()["valuations"]
    assert np.array_equal(to_numbers(answers), stored[[*VALUE_COLUMNS[:3]]].to_numpy())
    assert [one["confidence"] for one in answers] == stored["confidence"].tolist()
