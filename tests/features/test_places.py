import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from homei.features.places import Surroundings, project_places, with_places

KINDS = ["park", "station"]


@pytest.fixture(scope="module")
def surroundings(source, town_places):
    return Surroundings(project_places(town_places, source.coordinates), KINDS, 1000.0)


def test_the_nearest_place_of_each_kind_is_found_in_metres(surroundings):
    found = surroundings.around(np.array([100.0]), np.array([0.0]))
    assert found["station_distance"] == [100.0]
    assert found["park_distance"] == [100.0]


def test_places_on_the_edge_of_the_radius_count(source, town_places):
    around = Surroundings(project_places(town_places, source.coordinates), KINDS, 500.0).around
    assert around(np.array([500.0]), np.array([0.0]))["station_count"] == [1.0]
    assert around(np.array([500.1]), np.array([0.0]))["station_count"] == [0.0]


def test_a_missing_coordinate_gives_nulls(surroundings):
    found = surroundings.around(np.array([np.nan, 0.0]), np.array([0.0, np.nan]))
    assert all(np.isnan(column).all() for column in found.values())


def test_a_kind_without_places_is_unknown_and_not_far(source, town_places):
    places = project_places(town_places, source.coordinates)
    found = Surroundings(places, ["park", "zoo"], 1000.0).around(np.zeros(2), np.zeros(2))
    assert np.isnan(found["zoo_distance"]).all() and np.isnan(found["zoo_count"]).all()
    assert (found["park_count"] == 2).all()


def test_no_places_at_all_give_nulls(source, town_places):
    around = Surroundings(project_places(town_places.head(0), source.coordinates), KINDS, 1000.0).around
    assert np.isnan(around(np.zeros(1), np.zeros(1))["station_distance"]).all()


COORDINATES = arrays("f8", st.shared(st.integers(1, 30), key="size"), elements=st.floats(-1e5, 1e5) | st.just(np.nan))


@given(COORDINATES, COORDINATES)
def test_a_point_alone_gets_what_it_gets_among_others(surroundings, x, y):
    together = surroundings.around(x, y)
    for row in range(len(x)):
        alone = surroundings.around(x[[row]], y[[row]])
        assert {name: column.tobytes() for name, column in alone.items()} == {
            name: column[[row]].tobytes() for name, column in together.items()
        }


def test_more_points_than_fit_one_block_are_all_compared(surroundings, monkeypatch):
    x, y = np.random.default_rng(0).uniform(-3000, 3000, (2, 500))
    whole = surroundings.around(x, y)
    monkeypatch.setattr("homei.features.places.PAIRS", 17)
    in_blocks = surroundings.around(x, y)
    assert all(np.array_equal(whole[name], in_blocks[name]) for name in whole)


def test_the_order_of_the_places_does_not_matter(source, town_places):
    shuffled = town_places.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        project_places(town_places, source.coordinates), project_places(shuffled, source.coordinates)
    )


def test_spark_adds_what_numpy_finds(spark, source, features, surroundings, town_places):
    points = [(1, 0.0, 0.0), (2, 120.0, -300.0), (3, None, 5.0), (4, 120.0, -300.0)]
    sales = spark.createDataFrame(points, "id int, latitude double, longitude double")
    places = project_places(town_places, source.coordinates)
    rows = sales.transform(with_places(places, source, features)).orderBy("id").toPandas()
    expected = surroundings.around(rows["longitude"].to_numpy("f8"), rows["latitude"].to_numpy("f8"))
    for name, column in expected.items():
        np.testing.assert_array_equal(rows[name].to_numpy("f8"), column)


def test_a_city_without_coordinates_gets_nulls(spark, source, features, town_places):
    sales = spark.createDataFrame([(1, None, None)], "id int, latitude double, longitude double")
    places = project_places(town_places, source.coordinates)
    (row,) = sales.transform(with_places(places, source, features)).collect()
    assert row["station_distance"] is None and row["park_count"] is None
