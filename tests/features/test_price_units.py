"""Sales without an area: their features, and those of the other sales."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from homei.features.build import run
from homei.features.columns import COMPARABLE_LEVEL, MARKET_LEVEL, feature_columns
from homei.features.feature_lookup import FeatureLookup, export_lookup
from homei.features.price_units import log_unit_price, whole_price_types
from homei.storage import lake


def test_a_type_with_few_known_areas_is_priced_as_a_whole():
    types = pd.Series(["flat"] * 10 + ["house"] * 10)
    areas = pd.Series([50.0] * 3 + [np.nan] * 7 + [100.0] * 2 + [np.nan] * 8)
    assert whole_price_types(types, areas) == ["house"]
    sales = pd.DataFrame({"property_type": types, "square_meters": areas, "price": 100.0})
    unit_prices = np.exp(log_unit_price(sales)).round(6)
    assert unit_prices[:3].tolist() == [2.0] * 3 and np.isnan(unit_prices[3:10]).all()
    assert unit_prices[10:].tolist() == [100.0] * 10


@pytest.fixture(scope="module")
def partly_known(spark, workspace, local_spark, city, features, town, town_places, tmp_path_factory):
    """The town's training set and look-up, with half the areas of flats and none of houses."""
    folder = tmp_path_factory.mktemp("areas")
    is_unknown = (town["property_type"] == "house") | (np.arange(len(town)) % 2 == 0)
    sales = town.assign(square_meters=town["square_meters"].mask(is_unknown), is_market=True)
    with contextlib.chdir(folder):
        lake.write(sales, lake.RESOLVED_SALES)
        lake.write(town_places, lake.VALID_PLACES)
        run(1, city, workspace, local_spark, features)
        export_lookup(city, features, 36, folder / "lookup")
        return lake.read(lake.TRAINING_SET), lake.read(lake.COMPARABLE_POOL), FeatureLookup(folder / "lookup")


def test_prices_per_square_metre_step_aside_where_the_area_is_unknown(partly_known):
    training_set, pool, _ = partly_known
    flats, houses = (pool[pool["property_type"] == kind] for kind in ("flat", "house"))
    assert flats["u"].isna().equals(flats["square_meters"].isna() | flats["u"].isna())
    assert flats.loc[flats["square_meters"].notna(), "u"].notna().mean() > 0.9
    assert houses["u"].notna().mean() > 0.9, "houses are compared by their whole price"
    late = training_set[training_set["month"] > training_set["month"].min() + 6]
    of_type = late.groupby(["property_type", late["square_meters"].notna()])[COMPARABLE_LEVEL].agg(
        lambda x: x.notna().mean()
    )
    assert of_type["flat", False] == 0 and of_type["flat", True] > 0.5 and of_type["house", False] > 0.5
    assert late[MARKET_LEVEL].notna().all()


def test_looked_up_features_equal_those_of_spark(partly_known, city, features):
    training_set, _, lookup = partly_known
    columns = {name: training_set[name].to_numpy(object) for name in ("property_type", "location", "property_id")}
    numbers = ("square_meters", "floor", "year_built", "latitude", "longitude", "month")
    values = lookup.features(columns | {name: training_set[name].to_numpy() for name in numbers})
    for name in feature_columns(city, features):
        assert values[name].tobytes() == training_set[name].to_numpy("f8").tobytes(), name


def test_a_comparable_implies_a_price_where_the_unit_is_known(partly_known):
    training_set, _, lookup = partly_known
    last = training_set[training_set["month"] == training_set["month"].max()]
    columns = {name: last[name].to_numpy(object) for name in ("property_type", "location", "property_id")}
    numbers = ("square_meters", "floor", "year_built", "latitude", "longitude", "month")
    shown = lookup.comparables(columns | {name: last[name].to_numpy() for name in numbers}, 3)
    has_unit = (last["property_type"] == "house") | last["square_meters"].notna()
    assert has_unit.any() and not has_unit.all()
    for is_priced, comparables in zip(has_unit, shown, strict=True):
        assert all((each["adjusted_price"] is not None) == is_priced for each in comparables)
