import datetime

from hypothesis import given
from hypothesis import strategies as st

from homei.features import columns


@given(st.dates(datetime.date(1800, 1, 1)))
def test_a_month_number_leads_back_to_the_first_day_of_the_month(date):
    assert columns.first_day(columns.month_of(date)) == date.replace(day=1)


def test_december_is_followed_by_january():
    december, january = datetime.date(2021, 12, 31), datetime.date(2022, 1, 1)
    assert columns.month_of(january) - columns.month_of(december) == 1


def test_every_level_window_and_statistic_has_its_column(features):
    names = columns.history_columns(features)
    assert len(names) == len(set(names)) == 3 * 2 * 3
    assert {"location_level_3", "fine_spread_12", "coarse_count_3"} <= set(names)


def test_the_model_sees_every_feature_but_the_citys_level_and_how_near_comparables_are(source, features):
    inputs = columns.numeric_inputs(source, features)
    unseen = set(columns.feature_columns(source, features)) - set(inputs)
    assert unseen == {"market_level", "comparable_distance", "alike_distance"}
    assert {"station_distance", "park_count"} <= set(inputs)


def test_the_price_is_no_input(source, features):
    assert "price" not in columns.numeric_inputs(source, features) + columns.categorical_inputs(source)


def test_a_sources_own_attributes_are_inputs(source):
    assert columns.categorical_inputs(source) == ["property_type", "location", "flat_model"]
