import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.config import projection
from homei.config.projection import Coordinates
from homei.features.feature_lookup import _cell_keys
from homei.features.market_history import with_keys

SINGAPORE = Coordinates(system="wgs84", origin=(1.35, 103.82))
LATITUDES, LONGITUDES = st.floats(-85, 85), st.floats(-180, 180)


def test_a_hundredth_of_a_degree_north_is_1113_metres():
    _, y = projection.project(1.36, 103.82, SINGAPORE)
    _, origin = projection.project(1.35, 103.82, SINGAPORE)
    assert y - origin == pytest.approx(1113.2)


def test_degrees_of_longitude_shrink_towards_the_pole():
    east, north = projection.metres_per_unit(Coordinates(origin=(60.0, 10.0)))
    assert east == pytest.approx(north / 2)


def test_a_plane_is_in_metres_already():
    assert projection.project(3.0, 4.0, Coordinates(system="plane")) == (4.0, 3.0)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1, 1e5))
def test_a_cell_holds_its_point(x, y, size):
    column, row = projection.cell(x, y, size, math.floor)
    slack = 1e-9 * max(abs(x), abs(y), size)
    assert column * size - slack <= x <= (column + 1) * size + slack
    assert row * size - slack <= y <= (row + 1) * size + slack


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(LATITUDES, LONGITUDES), min_size=1, max_size=200))
def test_spark_numpy_and_a_float_agree_on_every_cell(spark, city, features, valid_sales, points):
    points = [*points, (math.nan, 1.0), (1.0, math.nan), (0.0, 0.0), (-0.0, -0.0)]
    wgs84 = city.model_copy(update={"coordinates": SINGAPORE})
    sales = valid_sales(*({"latitude": latitude, "longitude": longitude} for latitude, longitude in points))
    rows = spark.createDataFrame(sales).transform(with_keys(wgs84, features)).toPandas()
    by_line = rows.sort_values("source_line")
    x, y = projection.project(*np.array(points).T, SINGAPORE)
    for level, size in (("fine", features.cells.fine), ("coarse", features.cells.coarse)):
        in_spark = [None if pd.isna(key) else key for key in by_line[f"{level}_place"]]
        assert in_spark == _cell_keys(x, y, size)
        one_by_one = [_cell_keys(x[[row]], y[[row]], size)[0] for row in range(len(points))]
        assert in_spark == one_by_one
