import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from homei.features.build import build, run, training_set_columns
from homei.features.columns import feature_columns, month_of
from homei.storage import lake

TABLES = (lake.TRAINING_SET, lake.MARKET_INDEX, lake.MARKET_HISTORY, lake.PREVIOUS_SALES, lake.PLACES)


@pytest.fixture(scope="module")
def training_set(spark, city, features, town_places):
    """Builds the training set of some sales, in order of transaction."""

    def make(sales: pd.DataFrame) -> pd.DataFrame:
        tables = build(spark.createDataFrame(sales), town_places, city, features, 1)
        return tables.training_set.toPandas().sort_values("transaction_id", ignore_index=True)

    return make


@pytest.fixture(scope="module")
def untouched(training_set, town):
    return training_set(town)


def is_double(table: pa.Table, name: str) -> bool:
    return table.schema.field(name).type == pa.float64()


def digests(folder: Path) -> dict[str, str]:
    return {table.name: lake.digest(folder / table) for table in TABLES}


def scrambled(town, later):
    """The town with other prices of the later sales."""
    factors = np.random.default_rng(1).uniform(0.01, 100, len(town))
    return town.assign(price=np.where(later, town["price"] * factors, town["price"]))


def shortened(town, later):
    """The town without half of the later sales."""
    return town[~later | (np.arange(len(town)) % 2 == 0)]


def extended(town, later):
    """The town with each later sale three times, at other prices."""
    copies = [town[later].assign(transaction_id=town["transaction_id"] + f"-{number}") for number in (1, 2)]
    return pd.concat([town, *(copy.assign(price=copy["price"] * 3) for copy in copies)], ignore_index=True)


@pytest.mark.parametrize(
    ("since", "change"),
    [
        (datetime.date(2020, 2, 1), scrambled),
        (datetime.date(2021, 9, 1), scrambled),
        (datetime.date(2021, 2, 1), shortened),
        (datetime.date(2021, 2, 1), extended),
    ],
)
def test_sales_from_a_month_on_change_no_feature_of_a_sale_up_to_that_month(
    training_set, untouched, town, city, features, since, change
):
    changed = training_set(change(town, (town["sale_date"] >= since).to_numpy()))
    names, index = feature_columns(city, features), "transaction_id"
    before, after = (table.set_index(index) for table in (untouched, changed))
    # Of the sales in both, those up to the month have the same features, and later ones have others.
    before, after = (table.loc[before.index.intersection(after.index)] for table in (before, after))
    is_up_to = before["month"] <= month_of(since)
    pd.testing.assert_frame_equal(before.loc[is_up_to, names], after.loc[is_up_to, names], check_exact=True)
    assert not before.loc[~is_up_to, names].equals(after.loc[~is_up_to, names])


def test_the_training_set_has_a_row_for_every_sale_in_order_of_month(built_town, city, features, town):
    table = lake.read(built_town / lake.TRAINING_SET)
    assert list(table) == training_set_columns(city, features)
    assert set(table["transaction_id"]) == set(town["transaction_id"]) and len(table) == len(town)
    assert table[["month", "transaction_id"]].apply(tuple, axis=1).is_monotonic_increasing
    assert table["month"].dtype == "int64"
    assert (table[feature_columns(city, features)].dtypes == "float64").all()


def test_the_market_tables_end_with_the_month_after_as_of(built_town, city, town):
    last = month_of(city.as_of) + 1
    months = lake.read(built_town / lake.MARKET_INDEX)["month"]
    assert months.tolist() == list(range(month_of(town["sale_date"].min()) + 1, last + 1))
    assert lake.read(built_town / lake.MARKET_HISTORY)["month"].max() == last


def test_unknown_values_are_stored_as_null(built_town):
    stored = pq.read_table(built_town / lake.TRAINING_SET)
    assert not any(pc.any(pc.is_nan(stored[name])).as_py() for name in stored.column_names if is_double(stored, name))


@pytest.mark.slow
def test_shuffled_input_gives_the_same_bytes(
    project, built_town, workspace, local_spark, city, features, town, town_places
):
    folder = project(town.sample(frac=1, random_state=5), town_places.sample(frac=1, random_state=6))
    run(1, city, workspace, local_spark, features)
    assert digests(folder) == digests(built_town)


def test_a_single_sale_has_no_market_history(training_set, valid_sales):
    (row,) = training_set(valid_sales({"latitude": float("nan"), "property_id": None})).to_dict("records")
    assert np.isnan(row["market_level"])
    assert row["location_count_12"] == 0.0
    assert np.isnan(row["fine_count_12"])


@pytest.mark.slow
def test_a_source_without_places_has_no_place_columns(
    project, spark, workspace, local_spark, city, features, town, town_places
):
    bare = city.model_copy(update={"place_kinds": []})
    project(town.head(20), town_places.head(0))
    run(1, bare, workspace, local_spark, features)
    distances = [name for name in lake.read(lake.TRAINING_SET) if name.endswith("_distance")]
    assert distances == ["comparable_distance", "alike_distance"]
    assert lake.read(lake.PLACES).empty


def test_the_error_for_missing_input_names_the_table(project, spark, workspace, local_spark, city, features):
    with pytest.raises(lake.MissingTableError, match="resolved/sales"):
        run(1, city, workspace, local_spark, features)
