"""Market history, of several scenarios at once: each has a property type of its own, so they share no market."""

import datetime

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F  # noqa: N812

from homei.features.columns import month_of
from homei.features.market_history import market_history, with_history, with_keys, with_market
from homei.features.price_index import in_logs, with_changes

JANUARY = month_of(datetime.date(2021, 1, 1))
LEVEL = 7.0  # of the index throughout 2021: a sale with u = 0.5 has a price of e^7.5 per m²
RANDOM_U = np.random.default_rng(0).normal(0, 0.3, 50)


def day(month: int) -> datetime.date:
    return datetime.date(2021, month, 20)


def sale(month: int, u: float = 0.0, **columns: object) -> dict:
    return {"sale_date": day(month), "price": 100 * float(np.exp(LEVEL + u))} | columns


SCENARIOS = {
    "one sale": [sale(3, 0.25)],
    "before the index": [sale(1, sale_date=datetime.date(2020, 6, 1))],
    "three months": [sale(4, 0.1), sale(5, 0.3), sale(6, 0.9)],
    "two windows": [sale(2, 0.1), sale(3, 0.3), sale(6)],
    "one earlier sale": [sale(5, 0.3), sale(6)],
    "equal sales": [*[sale(5, 0.3)] * 7, sale(6)],
    "other location": [sale(5, location="south", latitude=9000.0), sale(6)],
    "other type": [sale(6)],
    "two kilometres away": [sale(5, latitude=1900.0), sale(6)],
    "no latitude": [sale(5), sale(6, latitude=float("nan"))],
    "no longitude": [sale(5), sale(6, longitude=float("nan"))],
    "new location": [sale(5), sale(6, location="new town")],
    "sold in November": [sale(11, 0.5)],
    "in order": [sale(5, u) for u in RANDOM_U],
    "shuffled": [sale(5, RANDOM_U[at]) for at in np.random.default_rng(1).permutation(50)],
}


@pytest.fixture(scope="module")
def tables(spark, city, features, valid_sales) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The market history of all scenarios, and their sales with it, in the order of the scenarios."""
    rows = [{"property_type": name} | row for name, rows in SCENARIOS.items() for row in rows]
    index = with_changes(pd.DataFrame({"month": np.arange(JANUARY, JANUARY + 13), "market_level": LEVEL}))
    sales = spark.createDataFrame(valid_sales(*rows)).transform(with_keys(city, features))
    sales = sales.transform(with_market(index))
    history = market_history(sales, features, JANUARY + 12).cache()
    joined = sales.transform(with_history(history, features)).orderBy("source_line").toPandas()
    return history.toPandas().sort_values(["level", "month"], ignore_index=True), joined


@pytest.fixture(scope="module")
def history(tables):
    """The market history of a scenario at all levels."""
    return lambda scenario: tables[0].query("property_type == @scenario").drop(columns="property_type")


@pytest.fixture(scope="module")
def last_sale(tables):
    """The last sale of a scenario with its market history."""
    return lambda scenario: tables[1].query("property_type == @scenario").iloc[-1]


def test_u_is_the_difference_to_the_citys_index_in_whole_micro_units(last_sale):
    assert last_sale("one sale")["u_micro"] == 250_000
    assert last_sale("one sale")["market_level"] == LEVEL


def test_a_month_before_the_index_has_no_level_and_no_u(last_sale):
    assert last_sale("before the index")[["market_level", "u_micro"]].isna().all()


def test_level_spread_and_count_are_of_the_months_before(last_sale):
    june = last_sale("three months")
    assert june["location_level_3"] == 0.2
    assert june["location_spread_3"] == pytest.approx(np.std([0.1, 0.3], ddof=1), abs=1e-6)
    assert june["location_count_3"] == 2.0


def test_a_window_excludes_older_sales(last_sale):
    june = last_sale("two windows")
    assert (june["fine_level_3"], june["fine_count_3"]) == (0.3, 1.0)
    assert (june["fine_level_12"], june["fine_count_12"]) == (0.2, 2.0)


def test_one_sale_has_no_spread(last_sale):
    assert np.isnan(last_sale("one earlier sale")["location_spread_3"])


def test_the_spread_of_equal_sales_is_zero(last_sale):
    assert last_sale("equal sales")["location_spread_3"] == 0.0


@pytest.mark.parametrize("scenario", ["other location", "other type"])
def test_another_type_or_location_is_another_market(last_sale, scenario):
    june = last_sale(scenario)
    for level in ("location", "fine", "coarse"):
        assert np.isnan(june[f"{level}_level_12"])
        assert june[f"{level}_count_12"] == 0.0


def test_a_coarse_cell_extends_further_than_a_fine_one(last_sale):
    june = last_sale("two kilometres away")
    assert (june["fine_count_3"], june["coarse_count_3"]) == (0.0, 1.0)


@pytest.mark.parametrize("missing", ["latitude", "longitude"])
def test_a_missing_coordinate_gives_nulls(last_sale, missing):
    june = last_sale(f"no {missing}")
    assert june["location_count_3"] == 1.0
    for level in ("fine", "coarse"):
        assert june[[f"{level}_{name}_3" for name in ("level", "spread", "count")]].isna().all()


def test_a_new_location_has_a_count_of_zero_and_no_level(last_sale):
    june = last_sale("new location")
    assert np.isnan(june["location_level_12"])
    assert june["location_count_12"] == 0.0


def test_history_ends_with_the_last_month_requested(history):
    rows = history("sold in November").query("level == 'location'")
    assert rows["month"].tolist() == [JANUARY + 11, JANUARY + 12]
    assert set(rows["level_12"]) == {0.5}


def test_sums_do_not_depend_on_the_order_of_the_sales(history):
    ordered, shuffled = (history(name).reset_index(drop=True) for name in ("in order", "shuffled"))
    pd.testing.assert_frame_equal(ordered, shuffled, check_exact=True)
    assert ordered["level_3"].dropna().iloc[0] == pytest.approx(RANDOM_U.mean(), abs=1e-6)


def test_logs_are_rounded_as_spark_rounds(spark):
    micro = [0.5, 1.5, 2.5, -0.5, -1.5, -0.3, 123456.5, -123456.5, 333333.333333, 12_345_678.5, None]
    rows = spark.createDataFrame([(value,) for value in micro], "micro double")
    for plain, exact in rows.select(in_logs(F.col("micro")), F.round(F.col("micro") / 1_000_000, 6)).collect():
        assert str(plain) == str(exact)
