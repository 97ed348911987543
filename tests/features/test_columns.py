import datetime

from hypothesis import given
from hypothesis import strategies as st

from homei.features import columns


@given(st.dates(datetime.date(1800, 1, 1)))
def test_first_day_is_the_inverse_of_month_of(date):
    assert columns.first_day(columns.month_of(date)) == date.replace(day=1)


def test_january_follows_december():
    december, january = datetime.date(2021, 12, 31), datetime.date(2022, 1, 1)
    assert columns.month_of(january) - columns.month_of(december) == 1


def test_every_level_window_and_statistic_has_its_column(features):
    names = columns.history_columns(features)
    assert len(names) == len(set(names)) == 3 * 2 * 3
    assert {"location_level_3", "fine_spread_12", "coarse_count_3"} <= set(names)


def test_inputs_are_all_features_but_the_market_level_and_comparable_distances(city, features):
    inputs = columns.numeric_inputs(city, features)
    unseen = set(columns.feature_columns(city, features)) - set(inputs)
    assert unseen == {"market_level", "comparable_distance", "alike_distance"}
    assert {"station_distance", "park_count"} <= set(inputs)


def test_the_price_is_not_an_input(city, features):
    assert "price" not in columns.numeric_inputs(city, features) + columns.categorical_inputs(city)


def test_a_sources_own_attributes_are_inputs(city):
    assert columns.categorical_inputs(city) == ["property_type", "location", "flat_model"]
