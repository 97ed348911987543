"""One definition: what the service answers is what the model says of the features that Spark built."""

import contextlib

import httpx
import numpy as np
import pandas as pd
import pytest
from newcomer import serving

from homei import lake
from homei.features.columns import first_day
from homei.model.preprocess import columns_of
from homei.model.train import VALUATION
from homei.model.valuation import Valuation

pytestmark = pytest.mark.slow

ASKED = ("square_meters", "property_type", "location", "bedrooms", "bathrooms", "year_built", "floor")
ASKED = (*ASKED, "latitude", "longitude", "property_id")


@pytest.fixture(scope="module")
def held(city) -> pd.DataFrame:
    """The test set: the sales of the hold-out with their features."""
    with contextlib.chdir(city):
        predictions = lake.read(lake.PREDICTIONS)
        test_set = predictions.loc[predictions["part"] == "hold_out", ["transaction_id"]]
        return test_set.merge(lake.read(lake.READY), on="transaction_id", validate="one_to_one")


@pytest.fixture(scope="module")
def direct(city, held) -> np.ndarray:
    """price, low and high of each sale, by the model on Spark's features."""
    values = Valuation.load(city / VALUATION).value(columns_of(held))
    return np.stack([values.price, values.low, values.high], axis=1)


@pytest.fixture(scope="module")
def requests(held) -> list[dict]:
    """Each sale as one would ask for it, in the month in which it was sold."""
    told = held[list(ASKED)].astype(object).where(held[list(ASKED)].notna(), None).to_dict("records")
    return [
        {**{name: value for name, value in row.items() if value is not None}, "valuation_date": str(first_day(month))}
        for row, month in zip(told, held["month"].tolist(), strict=True)
    ]


@pytest.fixture(scope="module")
def url(city):
    with serving(city) as address:
        yield address


def numbers(answers) -> np.ndarray:
    return np.array([[one["predicted_price"], one["interval"]["low"], one["interval"]["high"]] for one in answers])


def test_the_whole_test_set_over_http_equals_the_batch_prediction(url, requests, direct):
    answer = httpx.post(f"{url}/api/v1/predict/batch", json={"properties": requests}, timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    assert len(requests) > 2_500
    assert np.array_equal(numbers(answer.json()["valuations"]), direct)


def test_asked_one_by_one_they_are_the_same(url, requests, direct):
    some = range(0, len(requests), 15)
    with httpx.Client(base_url=url) as client:
        answers = [client.post("/api/v1/predict/price", json=requests[number]).json() for number in some]
    assert np.array_equal(numbers(answers), direct[list(some)])
