"""Market trends by month, quarter and year, of the city and its locations, and their queries."""

import datetime
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from sqlalchemy import insert

from homei.warehouse.connection import reading, writing
from homei.warehouse.market_trends import TrendQuery, has_trends, trend_periods
from homei.warehouse.tables import ALL, market_trends
from homei.warehouse.trend_rows import PANDAS_PERIODS, trend_rows

MONTHS = pd.date_range("2020-11-01", "2021-06-01", freq="MS")
sale = strategies.tuples(
    strategies.dates(datetime.date(2020, 9, 1), datetime.date(2021, 6, 30)),
    strategies.sampled_from(["north", "south", None]),
    strategies.sampled_from(["flat", "house"]),
    strategies.integers(1, 9).map(lambda n: n * 1000.0),
    strategies.booleans(),
)


def markets():
    rows = [(month, place) for month in MONTHS for place in ("north", "south")]
    frame = pd.DataFrame(rows, columns=["month", "location"])
    frame["inventory"] = range(len(frame))
    return frame.assign(new_listings=2, closed_listings=1, price_index=100.0 + np.arange(len(frame)))


def index(months=range(2020 * 12 + 10, 2021 * 12 + 7)):
    return pd.DataFrame({"month": [*months], "market_level": [8 + number / 100 for number in range(len(months))]})


def sold(sales):
    frame = pd.DataFrame(sales, columns=["sale_date", "location", "property_type", "price", "is_market"])
    return frame.assign(square_meters=10.0)


@given(strategies.lists(sale, max_size=30))
@settings(max_examples=30, deadline=None)
def test_each_median_is_that_of_the_period_s_own_market_sales(sales):
    frame = sold(sales)
    years = [rows for _, rows in frame.groupby(pd.to_datetime(frame["sale_date"]).dt.year)]
    periods = trend_rows(years or [frame], markets(), index())
    assert not periods.duplicated(["frequency", "location", "property_type", "period"]).any()
    for row in periods.itertuples():
        prices = [
            price
            for day, place, kind, price, market in sales
            if market and place is not None and day >= MONTHS[0].date()
            and pd.Timestamp(day).to_period(PANDAS_PERIODS[row.frequency]).start_time == row.period
            and row.location in (ALL, place) and row.property_type in (ALL, kind)
        ]  # fmt: skip
        assert row.market_sales == len(prices)
        assert row.median_price == pytest.approx(np.median(prices)) if prices else np.isnan(row.median_price)
        if prices:
            assert row.average_price_per_square_meter == pytest.approx(np.mean(prices) / 10, abs=0.011)


def test_index_and_inventory_are_from_the_end_of_a_period_and_listings_add_up():
    periods = trend_rows([sold([])], markets(), index()).set_index(["frequency", "location", "period"])
    north = periods.loc["quarter", "north", pd.Timestamp("2021-01-01")]
    assert (north["inventory"], north["price_index"], north["new_listings"]) == (8, 108.0, 6)
    city = periods.loc["quarter", ALL, pd.Timestamp("2021-01-01")]
    assert (city["inventory"], city["new_listings"], city["closed_listings"]) == (8 + 9, 12, 6)
    # November closed at 8.01, the first month of the trends; March at 8.05.
    assert city["price_index"] == round(100 * np.exp(0.04), 2)
    assert periods.loc["month", ALL, MONTHS[0]]["price_index"] == 100


def test_a_city_without_an_index_has_none():
    periods = trend_rows([sold([])], markets(), index([]))
    assert periods.loc[periods["location"] == ALL, "price_index"].isna().all()


@given(
    strategies.integers(1, 40),
    strategies.sampled_from(["month", "quarter", "year"]),
    strategies.dates(datetime.date(100, 1, 1)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_periods_are_whole_and_without_gaps(filled, months, frequency, as_of):
    with reading(filled) as connection:
        periods = trend_periods(connection, TrendQuery(None, None, months, frequency), as_of)
    starts = [period["period"] for period in periods]
    step = {"month": 1, "quarter": 3, "year": 12}[frequency]
    count = [start.year * 12 + start.month - 1 for start in starts]
    assert all(later - earlier == step for earlier, later in itertools.pairwise(count))
    end = as_of.year * 12 + as_of.month - 1
    assert count[0] <= end - months + 1 < count[0] + step and count[-1] <= end < count[-1] + step


@pytest.fixture
def filled(engine):
    key = {"frequency": "month", "location": ALL, "property_type": ALL, "market_sales": 1}
    rows = [key | {"period": month.date(), "median_price": 100.0 + number} for number, month in enumerate(MONTHS)]
    with writing(engine) as connection:
        connection.execute(insert(market_trends), rows)
        connection.execute(insert(market_trends).values(rows[0] | {"location": "x", "frequency": "year"}))
    return engine


def test_locations_and_types_without_trends_are_recognised(filled):
    with reading(filled) as connection:
        assert has_trends(connection, "location", "x")
        assert not has_trends(connection, "location", "y")
        assert not has_trends(connection, "property_type", "x")
        periods = trend_periods(connection, TrendQuery("x", None, 3, "month"), datetime.date(2021, 6, 30))
    assert [period["market_sales"] for period in periods] == [0, 0, 0]


def test_years_before_the_data_have_no_sales(filled):
    with reading(filled) as connection:
        periods = trend_periods(connection, TrendQuery(None, None, 600, "year"), datetime.date(2021, 6, 30))
    assert (len(periods), periods[-1]["market_sales"]) == (51, 0)
