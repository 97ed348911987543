"""Comparable features built in Spark equal those built on the driver."""

import numpy as np
import pandas as pd
import pytest

from homei.config.projection import Coordinates
from homei.features import comparables_in_spark
from homei.features.adjustments import comparable_features
from homei.features.build import build
from homei.features.comparables import pool_columns

PLANE = Coordinates(system="plane")
FIRST, MONTHS = 2020 * 12, 18


def sales_of(random: np.random.Generator, size: int, **columns) -> pd.DataFrame:
    ordinary = {
        "month": FIRST + random.integers(0, MONTHS, size),
        "property_type": "flat",
        "location": random.choice(["north", "south", "east"], size),
        "square_meters": random.integers(40, 90, size).astype(float),
        "floor": random.integers(0, 10, size).astype(float),
        "year_built": random.integers(1950, 2015, size).astype(float),
        "latitude": random.uniform(-6000, 6000, size),
        "longitude": random.uniform(-6000, 6000, size),
    }
    return pd.DataFrame(ordinary | columns)


@pytest.fixture(scope="module")
def pool() -> pd.DataFrame:
    """Flats with identical units, isolated houses without floors, shops without areas, and one castle."""
    random = np.random.default_rng(3)
    flats = sales_of(random, 700)
    for name in ("floor", "year_built", "square_meters", "latitude"):
        flats.loc[random.random(len(flats)) < 0.05, name] = np.nan
    unit = {"latitude": 0.0, "longitude": 0.0, "square_meters": 60.0, "floor": 3.0, "year_built": 1990.0}
    units = sales_of(random, 80, location="north", **unit)
    houses = sales_of(random, 60, property_type="house", floor=np.nan, location="country",
                      latitude=random.uniform(-60_000, 60_000, 60))  # fmt: skip
    shops = sales_of(random, 90, property_type="shop", square_meters=np.nan, latitude=np.nan, longitude=np.nan)
    castle = sales_of(random, 1, property_type="castle", month=FIRST + 9)
    rows = pd.concat([flats, units, houses, shops, castle], ignore_index=True)
    rows["u"] = np.where(random.random(len(rows)) < 0.03, np.nan, random.normal(0, 0.2, len(rows)).round(6))
    rows.loc[rows["square_meters"].isna() & (rows["property_type"] == "flat"), "u"] = np.nan
    rows["transaction_id"] = [f"t{number:04d}" for number in random.permutation(len(rows))]
    return rows.sort_values(["month", "transaction_id"], ignore_index=True)


@pytest.fixture(scope="module")
def built(spark, pool, features):
    """The tables from Spark with tiles of few sales, and from the driver."""
    rows = spark.createDataFrame(pool.sample(frac=1, random_state=2)).repartition(3)
    in_spark = comparables_in_spark.comparable_features(
        rows, rows, features.comparables, PLANE, FIRST + MONTHS, max_sales=150
    )
    return in_spark, comparable_features(pool_columns(pool), features.comparables, PLANE, FIRST + MONTHS)


@pytest.mark.slow
def test_every_sale_has_the_same_features_in_both_variants(built, pool):
    in_spark, on_driver = built
    rows = pool[["transaction_id"]].merge(in_spark.features.toPandas(), on="transaction_id", how="left")
    for name, column in on_driver.features.items():
        np.testing.assert_array_equal(rows[name].to_numpy(), column, err_msg=name)
    assert rows["comparable_level"].notna().sum() > 500
    assert in_spark.repeated["nearest"] > 0, "isolated sales are searched twice"


@pytest.mark.slow
def test_the_adjustments_are_the_same_in_both_variants(built):
    in_spark, on_driver = built
    pd.testing.assert_frame_equal(in_spark.adjustments, on_driver.adjustments, check_exact=True)
    assert (in_spark.adjustments.iloc[-1] != 0).all()


@pytest.mark.nightly
def test_the_training_set_is_the_same_in_both_variants(spark, town, town_places, city, features):
    sales = spark.createDataFrame(town)
    tables = [build(sales, town_places, city, features, 1, in_spark=in_spark) for in_spark in (False, True)]
    on_driver, in_spark = (
        table.training_set.toPandas().sort_values("transaction_id", ignore_index=True) for table in tables
    )
    pd.testing.assert_frame_equal(on_driver, in_spark, check_exact=True)
    pd.testing.assert_frame_equal(tables[0].adjustments, tables[1].adjustments, check_exact=True)
    pools = (tables[0].comparable_pool, tables[1].comparable_pool.toPandas())
    before, after = (rows.sort_values("transaction_id", ignore_index=True) for rows in pools)
    pd.testing.assert_frame_equal(before, after, check_exact=True)


@pytest.mark.nightly
def test_a_single_sale_has_no_comparables(spark, valid_sales, town_places, city, features):
    tables = build(spark.createDataFrame(valid_sales({})), town_places, city, features, 1, in_spark=True)
    (row,) = tables.training_set.collect()
    assert row["comparable_level"] is None and row["alike_distance"] is None
