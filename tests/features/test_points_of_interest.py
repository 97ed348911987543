import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from homei.features.build import with_places
from homei.features.points_of_interest import PointsOfInterest, project_places

KINDS = ["park", "station"]


@pytest.fixture(scope="module")
def points_of_interest(city, town_places):
    return PointsOfInterest(project_places(town_places, city.coordinates), KINDS, 1000.0)


def test_distance_to_the_nearest_place_of_each_kind_is_in_metres(points_of_interest):
    result = points_of_interest.around(np.array([100.0]), np.array([0.0]))
    assert result["station_distance"] == [100.0]
    assert result["park_distance"] == [100.0]


def test_places_on_the_edge_of_the_radius_count(city, town_places):
    around = PointsOfInterest(project_places(town_places, city.coordinates), KINDS, 500.0).around
    assert around(np.array([500.0]), np.array([0.0]))["station_count"] == [1.0]
    assert around(np.array([500.1]), np.array([0.0]))["station_count"] == [0.0]


def test_a_missing_coordinate_gives_nulls(points_of_interest):
    result = points_of_interest.around(np.array([np.nan, 0.0]), np.array([0.0, np.nan]))
    assert all(np.isnan(column).all() for column in result.values())


def test_a_kind_without_places_gives_nulls(city, town_places):
    places = project_places(town_places, city.coordinates)
    result = PointsOfInterest(places, ["park", "zoo"], 1000.0).around(np.zeros(2), np.zeros(2))
    assert np.isnan(result["zoo_distance"]).all() and np.isnan(result["zoo_count"]).all()
    assert (result["park_count"] == 2).all()


def test_no_places_at_all_give_nulls(city, town_places):
    around = PointsOfInterest(project_places(town_places.head(0), city.coordinates), KINDS, 1000.0).around
    assert np.isnan(around(np.zeros(1), np.zeros(1))["station_distance"]).all()


COORDINATES = arrays("f8", st.shared(st.integers(1, 30), key="size"), elements=st.floats(-1e5, 1e5) | st.just(np.nan))


@given(COORDINATES, COORDINATES)
def test_a_single_point_gets_the_same_features_as_in_a_batch(points_of_interest, x, y):
    together = points_of_interest.around(x, y)
    for row in range(len(x)):
        alone = points_of_interest.around(x[[row]], y[[row]])
        assert {name: column.tobytes() for name, column in alone.items()} == {
            name: column[[row]].tobytes() for name, column in together.items()
        }


def test_the_order_of_the_places_does_not_matter(city, town_places):
    shuffled = town_places.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        project_places(town_places, city.coordinates), project_places(shuffled, city.coordinates)
    )


def test_spark_adds_the_same_features_as_the_look_up(spark, city, features, points_of_interest, town_places):
    points = [(1, 0.0, 0.0), (2, 120.0, -300.0), (3, None, 5.0), (4, 120.0, -300.0)]
    sales = spark.createDataFrame(points, "id int, latitude double, longitude double")
    places = project_places(town_places, city.coordinates)
    rows = sales.transform(with_places(places, city, features)).orderBy("id").toPandas()
    expected = points_of_interest.around(rows["longitude"].to_numpy("f8"), rows["latitude"].to_numpy("f8"))
    for name, column in expected.items():
        np.testing.assert_array_equal(rows[name].to_numpy("f8"), column)


def test_a_city_without_coordinates_gets_nulls(spark, city, features, town_places):
    sales = spark.createDataFrame([(1, None, None)], "id int, latitude double, longitude double")
    places = project_places(town_places, city.coordinates)
    (row,) = sales.transform(with_places(places, city, features)).collect()
    assert row["station_distance"] is None and row["park_count"] is None
