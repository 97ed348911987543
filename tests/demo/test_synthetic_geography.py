"""The ground of the demo city."""

import numpy as np
import pytest

from homei.config.projection import Coordinates
from homei.demo.synthetic_geography import PLACES, RADIUS, draw_geography, to_degrees


@pytest.fixture(scope="module")
def city():
    return draw_geography(np.random.default_rng(1), 40)


def test_every_district_has_its_own_name(city):
    assert city.districts["name"].nunique() == 40


def test_every_place_has_its_own_name_and_every_kind_has_places(city):
    assert not city.places.duplicated(["kind", "name"]).any()
    assert set(city.places["kind"]) == set(PLACES)


def test_the_nearest_district_of_a_centre_is_that_district(city):
    middles = city.districts
    assert city.nearest_district(middles["x"].to_numpy(), middles["y"].to_numpy()).tolist() == list(range(40))


def test_prices_are_higher_beside_a_station_than_a_little_away(city):
    beside = city.places[city.places["kind"] == "station"]
    x, y = beside["x"].to_numpy(), beside["y"].to_numpy()
    away = np.mean(
        [city.location_value(x + dx, y + dy) for dx, dy in ((900, 0), (-900, 0), (0, 900), (0, -900))], axis=0
    )
    assert (city.location_value(x, y) - away).mean() > 0.02


def test_the_effect_of_locations_is_smooth(city):
    x = np.linspace(-RADIUS, RADIUS, 2000)
    steps = np.diff(city.location_value(x, np.zeros_like(x)))
    assert np.abs(steps).max() < 0.003  # per ten metres or so


def test_a_kilometre_is_a_kilometre_in_both_directions():
    latitude, longitude = to_degrees(np.array([0.0, 1000.0]), np.array([1000.0, 0.0]), Coordinates(origin=(60.0, 10.0)))
    assert latitude == pytest.approx([60.008983, 60.0], abs=1e-6)
    assert longitude == pytest.approx([10.0, 10.017966], abs=1e-6)


def test_there_are_names_for_any_number_of_districts():
    names = draw_geography(np.random.default_rng(1), 500).districts["name"]
    assert names.nunique() == 500
