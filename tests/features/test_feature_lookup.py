import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.features.columns import feature_columns
from homei.features.feature_lookup import FeatureLookup, LookupMonthError, export_lookup
from homei.storage import lake

JANUARY = 2022 * 12  # the month of the next valuations


def lookup_columns(training_set: pd.DataFrame) -> dict[str, np.ndarray]:
    texts = {name: training_set[name].to_numpy(object) for name in ("property_type", "location", "property_id")}
    numbers = ("square_meters", "floor", "year_built", "latitude", "longitude", "month")
    return texts | {name: training_set[name].to_numpy() for name in numbers}


@pytest.fixture(scope="module")
def built(built_town, city, features, tmp_path_factory):
    """The town's training set, and look-ups exported for all its months and for the last three."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built_town)
        export_lookup(city, features, 36, folder / "all")
        export_lookup(city, features, 3, folder / "last")
        training_set = lake.read(lake.TRAINING_SET)
    return SimpleNamespace(
        training_set=training_set,
        all=FeatureLookup(folder / "all"),
        last=FeatureLookup(folder / "last"),
        folder=folder,
    )


def test_looked_up_features_equal_those_of_spark(built, city, features):
    values = built.all.features(lookup_columns(built.training_set))
    assert list(values) == feature_columns(city, features)
    for name, column in values.items():
        assert column.dtype == np.float64
        assert column.tobytes() == built.training_set[name].to_numpy("f8").tobytes(), name


def test_an_export_of_the_last_months_gives_the_same_features(built):
    recent = built.training_set[built.training_set["month"] >= JANUARY - 3]
    values = built.last.features(lookup_columns(recent))
    for name, column in values.items():
        np.testing.assert_array_equal(column, recent[name].to_numpy("f8"), err_msg=name)


def test_a_single_row_gets_the_same_features_as_in_a_batch(built):
    together = built.all.features(lookup_columns(built.training_set))
    for row in range(0, len(built.training_set), 40):
        alone = built.all.features(lookup_columns(built.training_set.iloc[[row]]))
        assert {name: column.tobytes() for name, column in alone.items()} == {
            name: column[[row]].tobytes() for name, column in together.items()
        }


def test_the_town_has_a_value_of_every_feature(built, city, features):
    """Otherwise the comparisons above would compare nulls."""
    assert built.training_set[feature_columns(city, features)].notna().any().all()


def test_an_export_covers_its_months_and_the_one_after(built):
    assert (built.last.first_month, built.last.last_month) == (JANUARY - 3, JANUARY)


@pytest.fixture
def house() -> dict[str, np.ndarray]:
    """A property without any attributes in the month after the last sales."""
    texts = {name: np.array([None], dtype=object) for name in ("property_type", "location", "property_id")}
    unknown = {name: np.array([np.nan]) for name in ("square_meters", "floor", "year_built", "latitude", "longitude")}
    return texts | unknown | {"month": np.array([JANUARY])}


def test_unknown_attributes_give_nulls_but_the_market_is_known(built, house):
    values = built.last.features(house)
    market = [name for name in values if name.startswith("market")]
    assert all(np.isfinite(values[name]).all() for name in market)
    assert all(np.isnan(column).all() for name, column in values.items() if name not in market)


def test_a_new_location_has_no_sales(built, house):
    new = house | {name: np.array([name], dtype=object) for name in ("location", "property_type")}
    values = built.last.features(new)
    assert values["location_count_12"] == [0.0]
    assert np.isnan(values["location_level_12"]).all()


@pytest.mark.parametrize("month", [JANUARY - 4, JANUARY + 1])
def test_a_month_outside_the_export_raises_an_error(built, house, month):
    with pytest.raises(LookupMonthError, match="outside the look-up tables: choose one from 2021-10 to 2022-01"):
        built.last.features(house | {"month": np.array([month])})


def test_the_newest_month_is_prepared_and_others_after_their_first_look_up(built, house):
    lookup = FeatureLookup(built.folder / "last")
    months = [lookup.last_month - 1, lookup.last_month]
    assert [lookup.is_prepared(month) for month in months] == [False, True]
    lookup.features(house | {"month": np.array(months[:1])})
    assert [lookup.is_prepared(month) for month in months] == [True, True]


def test_no_rows_give_no_features(built, house):
    values = built.last.features({name: column[:0] for name, column in house.items()})
    assert {len(column) for column in values.values()} == {0}


def test_an_incomplete_export_is_named(built, tmp_path):
    (tmp_path / "keys.json").write_bytes((built.folder / "last" / "keys.json").read_bytes())
    with pytest.raises(lake.MissingTableError, match="market_index"):
        FeatureLookup(tmp_path)


def test_an_export_holds_its_parameters(built):
    meta = json.loads((built.folder / "last" / "keys.json").read_text())
    assert meta["features"]["windows"] == [3, 12]
    assert meta["place_kinds"] == ["park", "station"]
