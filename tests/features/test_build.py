import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from homei import lake
from homei.features.build import build, ready_columns, run
from homei.features.columns import feature_columns, month_of

TABLES = (lake.READY, lake.MARKET_INDEX, lake.MARKET_HISTORY, lake.PREVIOUS_SALES, lake.PLACES)


@pytest.fixture(scope="module")
def ready(spark, source, features, town_places):
    """The model's table of some sales, in order of transaction."""

    def make(sales: pd.DataFrame) -> pd.DataFrame:
        tables = build(spark.createDataFrame(sales), town_places, source, features)
        return tables.ready.toPandas().sort_values("transaction_id", ignore_index=True)

    return make


@pytest.fixture(scope="module")
def untouched(ready, town):
    return ready(town)


def is_double(table: pa.Table, name: str) -> bool:
    return table.schema.field(name).type == pa.float64()


def digests(folder: Path) -> dict[str, str]:
    return {table.name: lake.digest(folder / table) for table in TABLES}


@pytest.mark.parametrize("since", [datetime.date(2020, 2, 1), datetime.date(2021, 2, 1), datetime.date(2021, 9, 1)])
def test_prices_from_a_month_on_change_no_feature_of_a_sale_up_to_that_month(
    ready, untouched, town, source, features, since
):
    random = np.random.default_rng(since.toordinal())
    later = (town["sale_date"] >= since).to_numpy()
    prices = np.where(later, town["price"] * random.uniform(0.01, 100, len(town)), town["price"])
    scrambled = ready(town.assign(price=prices))
    names = feature_columns(source, features)
    up_to = (untouched["month"] <= month_of(since)).to_numpy()
    pd.testing.assert_frame_equal(untouched.loc[up_to, names], scrambled.loc[up_to, names], check_exact=True)
    # The scramble is felt afterwards, so the comparison can fail.
    assert not untouched.loc[~up_to, names].equals(scrambled.loc[~up_to, names])


def test_every_sale_keeps_its_row_in_order_of_month(built_town, source, features, town):
    table = lake.read(built_town / lake.READY)
    assert list(table) == ready_columns(source, features)
    assert set(table["transaction_id"]) == set(town["transaction_id"]) and len(table) == len(town)
    assert table[["month", "transaction_id"]].apply(tuple, axis=1).is_monotonic_increasing
    assert table["month"].dtype == "int64"
    assert (table[feature_columns(source, features)].dtypes == "float64").all()


def test_the_markets_tables_run_to_the_month_after_as_of(built_town, source, town):
    last = month_of(source.as_of) + 1
    months = lake.read(built_town / lake.MARKET_INDEX)["month"]
    assert months.tolist() == list(range(month_of(town["sale_date"].min()) + 1, last + 1))
    assert lake.read(built_town / lake.MARKET_HISTORY)["month"].max() == last


def test_the_unknown_is_stored_as_null(built_town):
    stored = pq.read_table(built_town / lake.READY)
    assert not any(pc.any(pc.is_nan(stored[name])).as_py() for name in stored.column_names if is_double(stored, name))


def test_another_run_on_shuffled_input_gives_the_same_bytes(
    project, built_town, local_spark, source, features, town, town_places
):
    folder = project(town.sample(frac=1, random_state=5), town_places.sample(frac=1, random_state=6))
    for _ in range(2):
        run(source, local_spark, features)
        assert digests(folder) == digests(built_town)


ELSEWHERE = """
import json, sys
from homei import config
from homei.features import build
build.run(*(kind.model_validate_json(text) for kind, text in zip(
    (config.Source, config.Spark, config.Features), json.loads(sys.stdin.read()), strict=True)))
"""


@pytest.mark.slow
def test_another_process_time_zone_hash_seed_and_number_of_cores_give_the_same_bytes(
    project, built_town, local_spark, source, features, town, town_places
):
    folder = project(town, town_places)
    cluster = local_spark.model_copy(update={"master": "local[3]", "shuffle_partitions": 5})
    sections = json.dumps([section.model_dump_json() for section in (source, cluster, features)])
    paths = os.pathsep.join(path for path in sys.path if path)
    elsewhere = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", ELSEWHERE], input=sections, env=elsewhere, cwd=folder, text=True, check=True)
    assert digests(folder) == digests(built_town)


def test_a_single_sale_has_no_history_and_is_no_error(ready, valid_sales):
    (row,) = ready(valid_sales({"latitude": float("nan"), "property_id": None})).to_dict("records")
    assert np.isnan(row["market_level"])
    assert row["location_count_12"] == 0.0
    assert np.isnan(row["fine_count_12"])


def test_a_source_without_places_has_no_columns_of_them(
    project, spark, local_spark, source, features, town, town_places
):
    bare = source.model_copy(update={"places": []})
    project(town.head(20), town_places.head(0))
    run(bare, local_spark, features)
    distances = [name for name in lake.read(lake.READY) if name.endswith("_distance")]
    assert distances == ["comparable_distance", "alike_distance"]
    assert lake.read(lake.PLACES).empty


def test_missing_input_names_the_table(project, spark, local_spark, source, features):
    with pytest.raises(lake.MissingTableError, match="resolved/sales is not there"):
        run(source, local_spark, features)
