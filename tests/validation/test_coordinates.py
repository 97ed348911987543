"""Coordinates of any system become degrees; those that are swapped, zero or far away are named."""

import numpy as np
import pytest

from homei.config.projection import Coordinates, area_of, metres_per_unit
from homei.validation.coordinates import NOWHERE, locate

BERLIN = (52.52, 13.4)


def located(points, ranges=None, **coordinates):
    latitude, longitude = np.array(points, dtype=float).T
    return locate(latitude, longitude, Coordinates(**coordinates), ranges or {})


@pytest.mark.parametrize(
    ("system", "y", "x"),
    [
        ("wgs84", 52.516275, 13.377704),
        ("EPSG:25833", 5819699.6, 389887.2),
        ("EPSG:3857", 6894018.4, 1489199.2),
    ],
)
def test_a_point_is_the_same_in_every_system(system, y, x):
    point = located([(y, x)], system=system, origin=BERLIN)
    assert point.latitude[0] == pytest.approx(52.516275, abs=1e-3)
    assert point.longitude[0] == pytest.approx(13.377704, abs=1e-3)
    assert not any(point.faults.values())


def test_state_plane_feet_are_converted():
    point = located([(212_000, 988_000)], system="EPSG:2263", origin=(40.7, -74.0))
    assert (point.latitude[0], point.longitude[0]) == pytest.approx((40.7486, -73.9854), abs=2e-3)


def test_wrong_coordinates_are_unknown_and_named():
    points = [(52.5, 13.4), (0, 0), (13.4, 52.5), (48.1, 13.4), (np.nan, 13.4)]
    result = located(points, origin=BERLIN)
    assert np.isnan(result.latitude).tolist() == [False, True, True, True, True]
    assert result.faults == {
        "latitude": {1: NOWHERE, 2: "swapped with longitude", 3: "outside [51.1725, 53.8675]"},
        "longitude": {1: NOWHERE, 2: "swapped with latitude"},
    }


def test_unknown_coordinates_of_another_system_stay_unknown():
    result = located([(np.nan, 389887.2), (np.nan, np.nan), (1e9, 1e9)], system="EPSG:25833", origin=BERLIN)
    assert np.isnan(result.latitude).all()
    assert [*result.faults["latitude"]] == [2]


def test_swapped_axes_of_another_system_are_named():
    result = located([(389887.2, 5819699.6)], system="EPSG:25833", origin=BERLIN)
    assert result.faults["latitude"] == {0: "swapped with longitude"}


def test_the_ranges_of_the_contract_come_before_the_area():
    result = located([(52.5, 13.4), (52.9, 13.4)], {"latitude": (52.3, 52.7)}, origin=BERLIN)
    assert result.faults == {"latitude": {1: "outside [52.3, 52.7]"}, "longitude": {}}


def test_a_plane_has_no_area_but_no_point_at_zero():
    result = located([(0, 0), (5000, -7000)], system="plane")
    assert result.latitude.tolist()[1:] == [5000]
    assert result.faults["latitude"] == {0: NOWHERE}
    assert area_of(Coordinates(system="plane")) == {}
    assert metres_per_unit(Coordinates(system="plane", unit="feet")) == (0.3048, 0.3048)
