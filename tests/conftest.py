"""What all tests may share: the one Spark session, a small city, and a project folder to run stages in."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import postgres
import pytest
import redis_process
import s3_server
import yaml
from build_cache import copy_of
from hypothesis import settings

from homei.config import params
from homei.config.city import CANONICAL, Attributes, CityConfig, ContractConfig
from homei.config.feeds import FeedsConfig, Source
from homei.config.projection import Coordinates
from homei.features.config import FeaturesConfig
from homei.ingestion.connectors.files import Files
from homei.ingestion.feeds import FetchConfig
from homei.spark.config import SparkConfig
from homei.storage import lake
from homei.storage.config import StorageConfig

pytest_plugins = ["cpu_time", "scheduling", "model_fixtures"]

# A thread of OpenMP that waits for work uses a core all the same, and another worker's tests need that.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Examples are not timed: on a busy machine a slow one says nothing about the code.
settings.register_profile("homei", deadline=None)
settings.load_profile("homei")

SETTINGS = ("params/config.yaml", "params/base.yaml", "params/city/demo.yaml", "tests/conftest.py")
GROUPS = Path(__file__).parents[1] / "params"
WORKSPACE = StorageConfig(uri=None, uri_env=None, encryption=None)
LOCAL_SPARK = SparkConfig(master="local[2]", master_env=None, driver_memory="1g", shuffle_partitions=2)
NUMBERS = ("price", "square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")


@pytest.fixture(scope="session")
def required():
    """Leaves a test out where a program isn't here, and says so; in CI, which must have it, the test fails."""

    def check(there, what, remedy):
        if not there:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {what} here: {remedy}")

    return check


@pytest.fixture(scope="session")
def postgresql(required):
    """Runs a PostgreSQL of one's own for the length of a block."""
    required(postgres.binaries(), "PostgreSQL", "Debian's package postgresql has it")
    return postgres.running


@pytest.fixture(scope="session")
def redis_server(required):
    """Runs a Redis of one's own for the length of a block."""
    required(redis_process.binary(), "Redis", "Debian's package redis-server has it")
    return redis_process.running


@pytest.fixture(scope="session")
def s3_server_process(required) -> Iterator[s3_server.S3Server]:
    """One S3 server for the test run; tests use `s3`, which gives each a bucket of its own."""
    required(s3_server.binary(), "S3 server", "`make parts` builds it")
    with s3_server.running() as server:
        yield server


@pytest.fixture
def s3(s3_server_process, monkeypatch) -> s3_server.Bucket:
    """An empty bucket on a real S3 server; its address and credentials are in the environment, as AWS names them."""
    bucket = s3_server_process.create_bucket()
    for name, value in s3_server_process.environment.items():
        monkeypatch.setenv(name, value)
    return bucket


@pytest.fixture(scope="session")
def workspace() -> StorageConfig:
    """The section for a lake in the workspace."""
    return WORKSPACE


@pytest.fixture(scope="session")
def local_spark() -> SparkConfig:
    """The section that the session of all tests is made from."""
    return LOCAL_SPARK


@pytest.fixture(scope="session")
def spark(local_spark):
    """The one Spark session of the test run."""
    from homei.spark.session import session

    engine = session(local_spark)
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def city() -> CityConfig:
    """A town on a plane whose coordinates are metres, with two kinds of places, as of the end of 2021."""
    return CityConfig(
        name="town",
        title="Town",
        currency="EUR",
        as_of=datetime.date(2021, 12, 31),
        folder="data/external/town",
        coordinates=Coordinates(system="plane"),
        attributes=Attributes(categorical=["flat_model"]),
        place_kinds=["park", "station"],
    )


@pytest.fixture(scope="session")
def town_source(city) -> Source:
    """The town with its feed of sales and its contract."""
    feed = Files(kind="files", files=["sales.csv"], columns={"flat_model": "flat_model"})
    required = ["price", "square_meters", "location", "property_type"]
    return Source(city, FeedsConfig(sales=feed), ContractConfig(required=required))


@pytest.fixture(scope="session")
def features() -> FeaturesConfig:
    own = yaml.safe_load((GROUPS / "config.yaml").read_text())["features"]
    return params.section("features", own | {"index_months": 24})


@pytest.fixture(scope="session")
def valid_sales():
    """Makes a table of sales from a few rows; what a row leaves out is ordinary."""

    def make(*rows: dict) -> pd.DataFrame:
        ordinary = dict.fromkeys(CANONICAL) | {
            "sale_date": datetime.date(2021, 1, 15),
            "price": 200_000.0,
            "square_meters": 100.0,
            "property_type": "flat",
            "location": "north",
            "latitude": 250.0,
            "longitude": 250.0,
            "flat_model": "plain",
            "source_file": "sales.csv",
        }
        numbered = [
            ordinary | {"transaction_id": f"t{number:05d}", "source_line": number + 2} | row
            for number, row in enumerate(rows)
        ]
        return pd.DataFrame(numbered).astype(dict.fromkeys(NUMBERS, "f8"))

    return make


@pytest.fixture(scope="session")
def town(valid_sales) -> pd.DataFrame:
    """Two years of sales in random order, some without coordinates, some of a property that is sold again."""
    random = np.random.default_rng(20260101)
    size = 400
    months = random.integers(0, 24, size)
    properties = [f"p{number}" if number < 90 else None for number in random.integers(0, 100, size)]
    rows = pd.DataFrame(
        {
            "property_id": properties,
            "sale_date": [
                datetime.date(2020 + month // 12, month % 12 + 1, day)
                for month, day in zip(months.tolist(), random.integers(1, 29, size).tolist(), strict=True)
            ],
            "price": np.exp(random.normal(12, 0.3, size) + 0.01 * months).round(),
            "square_meters": random.integers(30, 200, size).astype(float),
            "property_type": random.choice(["flat", "house"], size),
            "location": random.choice(["north", "south", "east"], size),
            "latitude": random.integers(-2000, 2000, size).astype(float),
            "longitude": random.integers(-2000, 2000, size) * 1.7,
        }
    )
    rows.loc[random.random(size) < 0.05, ["latitude", "longitude"]] = np.nan
    return valid_sales(*rows.to_dict("records"))


@pytest.fixture(scope="session")
def town_places() -> pd.DataFrame:
    """Two stations and three parks of the town."""
    rows = [
        ("station", "Centre", 0.0, 0.0),
        ("station", "Harbour", 1500.0, -900.0),
        ("park", "Green", 300.0, 300.0),
        ("park", "Lake", -800.0, 1200.0),
        ("park", "Hill", 100.0, 100.0),
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "latitude", "longitude"])


@pytest.fixture(scope="session")
def built_town(request, workspace, local_spark, city, features, town, town_places, tmp_path_factory):
    """A project folder in whose lake the town's features have been built; not to be written to."""
    inputs = [*(f"src/homei/{name}" for name in ("config", "features", "spark", "storage")), *SETTINGS]

    def build(folder: Path) -> None:
        from homei.features.build import run

        request.getfixturevalue("spark")
        with contextlib.chdir(folder):
            lake.write(town.assign(is_market=True), lake.RESOLVED_SALES)
            lake.write(town_places, lake.VALID_PLACES)
            run(1, city, workspace, local_spark, features)

    return copy_of("town-features", inputs, build, tmp_path_factory.mktemp("town"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder, which is the current one; call it to put valid sales and places into its lake."""
    monkeypatch.chdir(tmp_path)

    def fill(sales: pd.DataFrame, places: pd.DataFrame):
        lake.write(sales.assign(is_market=True), lake.RESOLVED_SALES)
        lake.write(places, lake.VALID_PLACES)
        return tmp_path

    return fill


@pytest.fixture(scope="session")
def demo_source() -> Source:
    """The demo city as the project declares it."""
    return params.source(yaml.safe_load((GROUPS / "city" / "demo.yaml").read_text()))


@pytest.fixture(scope="session")
def demo_city(demo_source) -> CityConfig:
    return demo_source.city


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory, demo_source):
    """A project folder with the lake of a smaller demo city, up to what `resolve` leaves; not to be written to."""
    packages = ("config", "demo", "features", "ingestion", "resolution", "storage", "validation")
    code = [f"src/homei/{name}" for name in packages]
    inputs = [*code, *SETTINGS]
    target = tmp_path_factory.mktemp("demo")
    return copy_of("demo-lake", inputs, lambda folder: build_demo_lake(folder, demo_source), target)


def build_demo_lake(folder: Path, source: Source) -> None:
    from homei.demo import mock_servers, simulate
    from homei.ingestion import fetch, ingest
    from homei.resolution import resolve
    from homei.validation import validate

    config = yaml.safe_load((GROUPS / "config.yaml").read_text())
    smaller = config["simulate"] | {"properties": 4000, "sales": 10000, "months": 40}
    with contextlib.chdir(folder):
        simulate.run(11, params.section("simulate", smaller), source.city, source.feeds)
        with mock_servers.running_servers(Path(source.city.folder) / "world"):
            fetch.run(source.city, source.feeds, FetchConfig(url=""))
        for table in lake.RAW:
            ingest.run(table, source.city, source.feeds)
        validate.run(*source, params.section("validate", config["validate"]))
        resolve.run(source.city, params.section("resolve", config["resolve"]), WORKSPACE, LOCAL_SPARK)
