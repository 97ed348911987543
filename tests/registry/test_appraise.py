"""Every property has the value that the service would return, or none where it would refuse."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from homei.config.city import Attributes
from homei.features.columns import month_of
from homei.registry import appraise
from homei.registry.appraise import VALUE_COLUMNS, value_properties, with_extras
from homei.serving.contract import Contract
from homei.serving.predictor import Predictor
from homei.serving.problem_details import ProblemError
from homei.storage import key_buckets, lake, snapshots
from homei.storage.config import StorageConfig
from homei.storage.snapshot_writer import write_tables
from homei.training.applicability import Applicability

TOMORROW = datetime.date(2022, 1, 1)
VERSIONS = {"currency": "EUR", "model_version": "m1", "data_version": "d1", "as_of": datetime.date(2021, 12, 31)}
LOCATIONS, TYPES = {"south": 90, "north": 50, "ridge": 0}, {"flat": 100, "house": 40, "cabin": 0}  # training sales
CONTRACT = Contract.model_construct(level=0.9, numeric=["lot"], categorical=[], **VERSIONS)


class Market:
    """Market level that rises with the month, and no comparables in the north."""

    def with_previous_sales(self, previous):
        return self

    def features(self, columns):
        nowhere = columns["location"] == "north"
        return {
            "market_level": 8.0 + 0.001 * (columns["month"] - month_of(TOMORROW)),
            "comparable_distance": np.where(nowhere, np.nan, 0.5),
            "alike_distance": np.where(columns["floor"] > 30, 9.0, 0.1),
            "park_distance": np.full(len(nowhere), 120.5),
        }


class Model:
    """A price by area and by the city's extra attribute `lot`."""

    version, meta = "m1", {"level": 0.9, "data_version": "d1"}

    def __init__(self, policy):
        self.applicability = Applicability(LOCATIONS, TYPES, {"flat": (20.0, 300.0)}, policy)

    def value(self, columns):
        price = np.round(np.exp(columns["market_level"]) * columns["square_meters"] + columns["lot"], 2)
        parts = {
            "price": price,
            "low": price - 1000,
            "high": price + 1000,
            "deviation": 0.06905 + columns["floor"] / 1e5,
        }
        return SimpleNamespace(**parts, flags=self.applicability.flags(columns))


@pytest.fixture(scope="module")
def model(sections):
    return Model(sections.applicability)


def make_properties(*rows):
    ordinary = {
        "property_id": "p", "property_type": "flat", "location": "south", "square_meters": 70.0, "bedrooms": 2.0,
        "bathrooms": 1.0, "year_built": 1990.0, "floor": 2.0, "latitude": 1.0, "longitude": 2.0, "lot": 5.0,
    }  # fmt: skip
    return pd.DataFrame([ordinary | {"property_id": f"p{number}"} | row for number, row in enumerate(rows)])


def test_values_equal_those_of_the_service(model):
    properties = make_properties({}, {"square_meters": 310.0}, {"location": "north"}, {"location": "east"})
    properties = properties.assign(floor=[0.0, 1.0, 3.0, 7.0])  # gives confidences with a fifth decimal of 5
    valued = value_properties(properties, Market(), model, month_of(TOMORROW), ["park_distance"])
    rows = [{**row, "valuation_date": TOMORROW} for row in properties.to_dict("records")]
    answers = Predictor(CONTRACT, Market(), model).value(rows)
    for (_, row), answer in zip(valued.iterrows(), answers, strict=True):
        assert [row[name] for name in VALUE_COLUMNS] == [
            answer["predicted_price"], answer["interval"]["low"], answer["interval"]["high"], answer["confidence"],
        ]  # fmt: skip
        assert row["flags"].split() == answer["flags"]
    assert valued["flags"].tolist() == ["", "unusual_area", "no_comparable", "unknown_location"]
    assert valued["park_distance"].eq(120.5).all()


def test_properties_that_the_service_refuses_have_no_value(model):
    far_from_sales = {"location": "north", "floor": 40.0}
    properties = make_properties(
        {}, far_from_sales, {"property_type": "castle"}, {"square_meters": np.nan}, {"location": None}
    )
    valued = value_properties(properties, Market(), model, month_of(TOMORROW), [])
    assert valued["valued_price"].notna().tolist() == [True, False, False, False, False]
    assert valued.loc[1:, [*VALUE_COLUMNS]].isna().all(axis=None)
    row = properties.iloc[1].to_dict() | {"valuation_date": TOMORROW}
    with pytest.raises(ProblemError):
        Predictor(CONTRACT, Market(), model).value([row])


def test_a_location_or_type_without_a_training_sale_has_the_flagged_value_of_the_service(model):
    properties = make_properties({"location": "ridge"}, {"property_type": "cabin"})
    valued = value_properties(properties, Market(), model, month_of(TOMORROW), [])
    rows = [{**row, "valuation_date": TOMORROW} for row in properties.to_dict("records")]
    answers = Predictor(CONTRACT, Market(), model).value(rows)
    assert valued["valued_price"].tolist() == [answer["predicted_price"] for answer in answers]
    assert valued["flags"].tolist() == ["thin_evidence", "thin_evidence"]
    assert [answer["flags"] for answer in answers] == [["thin_evidence"], ["thin_evidence"]]


def test_values_do_not_depend_on_the_batch(model):
    properties = make_properties({}, {"square_meters": 310.0}, {"location": "north"})
    batch = value_properties(properties, Market(), model, month_of(TOMORROW), [])
    single = pd.concat(
        [value_properties(properties.iloc[[n]], Market(), model, month_of(TOMORROW), []) for n in range(3)]
    )
    pd.testing.assert_frame_equal(batch, single)


def test_an_extra_attribute_comes_from_the_latest_sale_that_has_it():
    city = SimpleNamespace(attributes=Attributes(numeric=["lot"], categorical=["heating"]))
    sales = pd.DataFrame(
        {
            "transaction_id": ["t2", "t1", "t3"],
            "property_id": ["p0", "p0", "p1"],
            "sale_date": pd.to_datetime(["2021-02-01", "2021-01-01", "2021-01-01"]),
            "lot": [np.nan, 40.0, 50.0],
            "heating": ["gas", "oil", None],
        }
    )
    properties = with_extras(make_properties({}, {}, {}).drop(columns="lot"), sales, city)
    assert properties["lot"].tolist()[:2] == [40.0, 50.0]
    assert properties["heating"].tolist()[0] == "gas"
    assert properties.loc[2, ["lot", "heating"]].isna().all()


def test_an_external_lake_has_the_same_values_bucket_by_bucket(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(appraise.ValuationModel, "load", lambda _: model)
    monkeypatch.setattr(appraise, "FeatureLookup", lambda *_, **__: Market())
    monkeypatch.setattr(appraise, "place_columns", lambda _: ["park_distance"])
    previous = pd.DataFrame({"property_id": ["p1"], "month": [24_000], "u": [8.0]})
    monkeypatch.setattr(
        appraise, "export_lookup", lambda *given: lake.write(previous, given[-1] / lake.PREVIOUS_SALES.name)
    )
    monkeypatch.setattr(key_buckets, "ROWS_PER_BUCKET", 2)
    monkeypatch.setattr(lake, "MAX_ROWS_IN_MEMORY", 2)
    properties = make_properties({}, {"location": "north"}, {"square_meters": np.nan}, {}, {}).drop(columns="lot")
    sales = properties[["property_id"]].assign(transaction_id="t", sale_date=datetime.date(2021, 1, 1), lot=5.0)
    city = SimpleNamespace(attributes=Attributes(numeric=["lot"], categorical=[]), as_of=VERSIONS["as_of"])
    workspace = StorageConfig(uri=None, uri_env=None, encryption=None)
    external = StorageConfig(uri=f"file://{tmp_path}/lake", uri_env=None, encryption=None)
    tables = [(properties, lake.RESOLVED_PROPERTIES, "property_id"), (sales, lake.RESOLVED_SALES, "property_id")]
    for table, path, _ in tables:
        lake.write(table, path)
    appraise.run(city, None, workspace)
    expected = lake.read(lake.VALUATIONS)
    for table, path, key in tables:
        write_tables([pa.Table.from_pandas(table, preserve_index=False)], path, [key], external)
    appraise.run(city, None, external)
    receipt = snapshots.read_receipt(lake.VALUATIONS)
    assert (receipt.rows, len(snapshots.data_files(receipt))) == (5, 3)
    monkeypatch.setattr(lake, "MAX_ROWS_IN_MEMORY", 5)
    pd.testing.assert_frame_equal(lake.read(lake.VALUATIONS), expected)
