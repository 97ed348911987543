"""The stage `curate` as a whole: on a demo city, and on a source that has nothing but sales."""

import contextlib
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from build_cache import copy_of

from homei.config import params
from homei.curated import build
from homei.ingestion import ingest
from homei.resolution import resolve
from homei.storage import lake
from homei.validation import validate

PROJECT = Path(__file__).parents[2]
TABLES = (
    lake.PROPERTY_ANALYTICS,
    lake.CUSTOMER_ANALYTICS,
    lake.MARKET_ANALYTICS,
    lake.PROPERTY_FEATURES,
    lake.DATA_QUALITY,
)


@pytest.fixture(scope="module")
def own():

    return yaml.safe_load((PROJECT / "params/config.yaml").read_text())


@pytest.fixture(scope="module")
def curate(own):
    return params.section("curate", own["curate"])


@pytest.fixture(scope="module")
def curated_city(request, demo_lake, demo_source, curate, workspace, local_spark, tmp_path_factory):
    """A copy of the small demo city's project, with its curated tables."""

    def build_curated(folder: Path) -> None:
        request.getfixturevalue("spark")
        shutil.copytree(demo_lake, folder, dirs_exist_ok=True)
        with contextlib.chdir(folder):
            _index(demo_source.city)
            build.run(demo_source.city, workspace, local_spark, curate)

    inputs = ("src/homei", "params", "tests/conftest.py", "tests/curated/test_build.py")
    return copy_of("curated-city", inputs, build_curated, tmp_path_factory.mktemp("curated"))


def _index(city):
    """A market index as `features` leaves it, out of the sales."""
    sales = lake.read(lake.RESOLVED_SALES).query("is_market")
    month = sales["sale_date"].dt.year * 12 + sales["sale_date"].dt.month - 1
    per_meter = (sales["price"] / sales["square_meters"]).groupby(month).median()
    months = range(int(month.min()), city.as_of.year * 12 + city.as_of.month + 1)
    levels = per_meter.map(math.log).reindex(months).shift().ffill()
    lake.write(pd.DataFrame({"month": list(months), "market_level": levels.to_numpy()}), lake.MARKET_INDEX)


@pytest.mark.slow
def test_every_property_customer_month_and_sale_has_its_row(curated_city, monkeypatch):
    monkeypatch.chdir(curated_city)
    sales = lake.read(lake.RESOLVED_SALES)
    assert len(lake.read(lake.PROPERTY_ANALYTICS)) == len(lake.read(lake.RESOLVED_PROPERTIES))
    assert len(lake.read(lake.CUSTOMER_ANALYTICS)) == len(lake.read(lake.VALID["customers"]))
    assert len(lake.read(lake.PROPERTY_FEATURES)) == len(sales)
    markets = lake.read(lake.MARKET_ANALYTICS)
    assert markets["market_sales"].sum() == sales["is_market"].sum()
    assert markets[["month", "location"]].duplicated().sum() == 0
    assert {"indicator_cpi", "indicator_interest_rate", "indicator_population"} <= {*markets}


@pytest.mark.slow
def test_nothing_in_the_curated_tables_tells_who_someone_is(curated_city, monkeypatch):
    monkeypatch.chdir(curated_city)
    customers = lake.read(lake.VALID["customers"])
    hashes = {value for name in ("name", "email", "phone") for value in customers[name]}
    for table in TABLES:
        cells = lake.read(table).select_dtypes(object)
        assert not hashes & {value for name in cells for value in cells[name].dropna() if isinstance(value, str)}, table


@pytest.mark.slow
def test_the_same_bytes_come_back_whatever_the_partitions(
    curated_city, demo_source, curate, spark, workspace, local_spark, monkeypatch
):
    monkeypatch.chdir(curated_city)
    before = lake.digest(*TABLES)
    partitions = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        build.run(demo_source.city, workspace, local_spark, curate)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
    assert lake.digest(*TABLES) == before


def test_a_source_with_nothing_but_sales_has_empty_tables(
    tmp_path, monkeypatch, town_source, valid_sales, own, curate, spark, workspace, local_spark
):
    monkeypatch.chdir(tmp_path)
    extra = ["address", "seller", "buyer", "seller_family", "buyer_family"]
    town = valid_sales(*({"price": 200_000.0 + 1000 * number, "property_id": f"P{number}"} for number in range(30)))
    lake.write(town.assign(**dict.fromkeys(extra), source_feed="main"), lake.VALID["sales"])
    for table in ("listings", "customers", "leads", "indicators"):
        raw = ingest.records(town_source, table).to_pandas()
        lake.write(raw.astype(dict.fromkeys(raw.columns.drop("source_line"), lake.TEXT)), lake.RAW[table])
        lake.write(validate.validate_records(raw, town_source, table).valid, lake.VALID[table])
    raw = town.assign(**dict.fromkeys(extra), source_feed="main", source_fault=None).astype(str)
    lake.write(raw, lake.RAW["sales"])
    quarantine = raw.head(0).assign(reasons="", source_table="")
    lake.write(quarantine.astype(lake.TEXT).astype({"source_line": int}), lake.QUARANTINE)
    lake.write(validate.feed_columns(town_source), lake.FEED_COLUMNS)
    settings = params.section("resolve", own["resolve"])
    resolve.run(town_source.city, settings, workspace, local_spark)
    _index(town_source.city)
    build.run(town_source.city, workspace, local_spark, curate)
    assert lake.read(lake.CUSTOMER_ANALYTICS).empty
    assert lake.read(lake.MARKET_ANALYTICS)["inventory"].sum() == 0
    assert len(lake.read(lake.PROPERTY_FEATURES)) == len(town)
