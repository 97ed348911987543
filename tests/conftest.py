"""What all tests may share: the one Spark session, a small city, and a project folder to run stages in."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import numpy as np
import pandas as pd
import postgres
import pytest
import redisd
import yaml
from xdist.scheduler import LoadScopeScheduling

from homei import lake, params
from homei.config import Features, Spark
from homei.source import CANONICAL, ROOMS, Contract, Coordinates, PlacesFile, Source
from homei.sources.files import Files

GROUPS = Path(__file__).parents[1] / "params"
NUMBERS = ("price", "square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")

WHOLE = "tests/whole"  # whose files share a rebuilt city


class ByWhatIsShared(LoadScopeScheduling):
    """Among several processes, the tests of a file are one's: they share what takes long to make."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return WHOLE if file.startswith(WHOLE) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByWhatIsShared(config, log)


def pytest_collection_modifyitems(items):
    """Rebuilds come first: at the end, all processes but one would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


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
    required(redisd.binary(), "Redis", "Debian's package redis-server has it")
    return redisd.running


@pytest.fixture(scope="session")
def local_spark() -> Spark:
    """The section that the session of all tests is made from."""
    return Spark(master="local[2]", master_env=None, driver_memory="1g", shuffle_partitions=2)


@pytest.fixture(scope="session")
def spark(local_spark):
    """The one Spark session of the test run."""
    from homei.features.session import session

    engine = session(local_spark)
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def source() -> Source:
    """A town on a plane whose coordinates are metres, with two kinds of places, as of the end of 2021."""
    places = [
        PlacesFile(kind=kind, file=f"{kind}.csv", name="name", latitude="latitude", longitude="longitude")
        for kind in ("station", "park")
    ]
    return Source(
        name="town",
        title="Town",
        currency="EUR",
        as_of=datetime.date(2021, 12, 31),
        folder="data/external/town",
        coordinates=Coordinates(system="plane"),
        sales=Files(kind="files", files=["sales.csv"], columns={}, categorical={"flat_model": "flat_model"}),
        places=places,
        contract=Contract(required=["price", "square_meters", "location", "property_type"]),
    )


@pytest.fixture(scope="session")
def features() -> Features:
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
def built_town(spark, local_spark, source, features, town, town_places, tmp_path_factory):
    """A project folder in whose lake the town's features have been built; not to be written to."""
    from homei.features.build import run

    folder = tmp_path_factory.mktemp("town")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lake.write(town.assign(is_market=True), lake.RESOLVED_SALES)
        lake.write(town_places, lake.VALID_PLACES)
        run(source, local_spark, features)
    return folder


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
    return params.section("source", yaml.safe_load((GROUPS / "source" / "demo.yaml").read_text()))


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory, demo_source):
    """A project folder with the lake of a smaller demo city, up to what `resolve` leaves; not to be written to."""
    from homei.demo import outside, simulate
    from homei.entities import resolve
    from homei.quality import validate
    from homei.sources import fetch, ingest

    own = yaml.safe_load((GROUPS / "config.yaml").read_text())
    smaller = own["simulate"] | {"properties": 4000, "sales": 10000, "months": 40}
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        simulate.run(11, params.section("simulate", smaller), demo_source)
        with outside.running(Path(demo_source.folder) / "world"):
            fetch.run(demo_source)
        for room in ROOMS:
            ingest.run(room, demo_source)
        validate.run(demo_source, params.section("validate", own["validate"]))
        resolve.run(demo_source, params.section("resolve", own["resolve"]))
    return folder
