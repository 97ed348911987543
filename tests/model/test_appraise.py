"""Every property has the value that the service would answer, or none where it would refuse."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.features.columns import month_of
from homei.model.appraise import VALUED, appraised, with_extras
from homei.model.scope import Scope
from homei.serve.contract import Contract
from homei.serve.predictor import Predictor
from homei.serve.refusal import RequestError

TOMORROW = datetime.date(2022, 1, 1)
VERSIONS = {"currency": "EUR", "model_version": "m1", "data_version": "d1", "as_of": datetime.date(2021, 12, 31)}
CONTRACT = Contract.model_construct(level=0.9, numeric=["lot"], categorical=[], **VERSIONS)


class Market:
    """Prices that rise with the month, and no comparable in the north."""

    def features(self, columns):
        nowhere = columns["location"] == "north"
        return {
            "market_level": 8.0 + 0.001 * (columns["month"] - month_of(TOMORROW)),
            "comparable_distance": np.where(nowhere, np.nan, 0.5),
            "alike_distance": np.where(columns["floor"] > 30, 9.0, 0.1),
            "park_distance": np.full(len(nowhere), 120.5),
        }


class Model:
    """A price by area and by the lot, an attribute of the source's own."""

    version, meta = "m1", {"level": 0.9, "data_version": "d1", "categories": {"property_type": ["flat", "house"]}}

    def __init__(self, policy):
        self.scope = Scope(frozenset({"south", "north"}), {"flat": (20.0, 300.0)}, policy)

    def value(self, columns):
        price = np.round(np.exp(columns["market_level"]) * columns["square_meters"] + columns["lot"], 2)
        parts = {
            "price": price,
            "low": price - 1000,
            "high": price + 1000,
            "deviation": 0.06905 + columns["floor"] / 1e5,
        }
        return SimpleNamespace(**parts, flags=self.scope.flags(columns))


@pytest.fixture(scope="module")
def model(sections):
    return Model(sections.scope)


def homes(*rows):
    ordinary = {
        "property_id": "p", "property_type": "flat", "location": "south", "square_meters": 70.0, "bedrooms": 2.0,
        "bathrooms": 1.0, "year_built": 1990.0, "floor": 2.0, "latitude": 1.0, "longitude": 2.0, "lot": 5.0,
    }  # fmt: skip
    return pd.DataFrame([ordinary | {"property_id": f"p{number}"} | row for number, row in enumerate(rows)])


def test_a_value_is_what_the_service_answers(model):
    found = homes({}, {"square_meters": 310.0}, {"location": "north"}, {"location": "east"})
    found = found.assign(floor=[0.0, 1.0, 3.0, 7.0])  # by which confidences end in a 5
    valued = appraised(found, Market(), model, month_of(TOMORROW), ["park_distance"])
    asked = [{**row, "valuation_date": TOMORROW} for row in found.to_dict("records")]
    answers = Predictor(CONTRACT, Market(), model).value(asked)
    for (_, row), answer in zip(valued.iterrows(), answers, strict=True):
        assert [row[name] for name in VALUED] == [
            answer["predicted_price"], answer["interval"]["low"], answer["interval"]["high"], answer["confidence"],
        ]  # fmt: skip
        assert row["flags"].split() == answer["flags"]
    assert valued["flags"].tolist() == ["", "unusual_area", "no_comparable", "unknown_location"]
    assert valued["park_distance"].eq(120.5).all()


def test_what_the_service_would_refuse_has_no_value(model):
    invented = {"location": "north", "floor": 40.0}
    found = homes({}, invented, {"property_type": "castle"}, {"square_meters": np.nan}, {"location": None})
    valued = appraised(found, Market(), model, month_of(TOMORROW), [])
    assert valued["valued_price"].notna().tolist() == [True, False, False, False, False]
    assert valued.loc[1:, [*VALUED]].isna().all(axis=None)
    row = found.iloc[1].to_dict() | {"valuation_date": TOMORROW}
    with pytest.raises(RequestError):
        Predictor(CONTRACT, Market(), model).value([row])


def test_homes_are_valued_alike_however_many_at_once(model):
    found = homes({}, {"square_meters": 310.0}, {"location": "north"})
    together = appraised(found, Market(), model, month_of(TOMORROW), [])
    alone = pd.concat([appraised(found.iloc[[n]], Market(), model, month_of(TOMORROW), []) for n in range(3)])
    pd.testing.assert_frame_equal(together, alone)


def test_a_sources_own_attribute_is_the_latest_that_a_sale_tells():
    source = SimpleNamespace(numeric=["lot"], categorical=["heating"])
    sales = pd.DataFrame(
        {
            "transaction_id": ["t2", "t1", "t3"],
            "property_id": ["p0", "p0", "p1"],
            "sale_date": pd.to_datetime(["2021-02-01", "2021-01-01", "2021-01-01"]),
            "lot": [np.nan, 40.0, 50.0],
            "heating": ["gas", "oil", None],
        }
    )
    found = with_extras(homes({}, {}, {}).drop(columns="lot"), sales, source)
    assert found["lot"].tolist()[:2] == [40.0, 50.0]
    assert found["heating"].tolist()[0] == "gas"
    assert found.loc[2, ["lot", "heating"]].isna().all()
