"""A lake with a few properties, and warehouses to publish it into: SQLite and PostgreSQL.

The schema is migrated once in a session: each test copies the migrated SQLite file, or creates its database from the
migrated template.
"""

import datetime
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy

from homei.config.projection import Coordinates
from homei.storage import lake
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect
from homei.warehouse.publish import BENTO
from homei.warehouse.published_rows import published_rows
from homei.warehouse.schema import migrate
from homei.warehouse.tables import customer_analytics

ADDRESS = "HOMEI_WAREHOUSE"
SETTINGS = PublishConfig(address=ADDRESS, file="data/warehouse/homei.db")
DAY = pd.Timestamp("2021-05-01")
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server(postgresql):
    """A PostgreSQL server; without one, the tests run on SQLite alone."""
    with postgresql() as running:
        yield running


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """A SQLite file with the newest schema, for copies."""
    path = tmp_path_factory.mktemp("migrated") / "homei.db"
    migrate_url(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(server) -> str:
    """The name of a PostgreSQL database with the newest schema, for copies."""
    migrate_url(new_database(server, "migrated"))
    return "migrated"


def migrate_url(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, url)
        engine = connect(SETTINGS)
        migrate(engine, partitions=SETTINGS.partitions)
        engine.dispose()


def new_database(server, name: str, template: str = "template0") -> str:
    """Creates a database anew; returns its URL."""
    admin = sqlalchemy.create_engine(server.url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"drop database if exists {name} with (force)")
        connection.exec_driver_sql(f"create database {name} template {template} strategy file_copy")
    admin.dispose()
    return server.url.rpartition("/")[0] + "/" + name


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty project, which is the current folder, with the default warehouse."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ADDRESS, raising=False)
    return tmp_path


@pytest.fixture(params=DATABASES)
def settings(request, project, monkeypatch) -> PublishConfig:
    """A migrated warehouse without rows, of each kind in turn, in an empty project."""
    if request.param == "postgresql":
        server, template = request.getfixturevalue("server"), request.getfixturevalue("migrated_template")
        monkeypatch.setenv(ADDRESS, new_database(server, "warehouse", template))
    else:
        Path(SETTINGS.file).parent.mkdir(parents=True)
        shutil.copy(request.getfixturevalue("migrated_file"), SETTINGS.file)
    return SETTINGS


@pytest.fixture(params=DATABASES)
def empty_engine(request, project, monkeypatch):
    """An engine for a database without any table, of each kind in turn."""
    if request.param == "postgresql":
        monkeypatch.setenv(ADDRESS, new_database(request.getfixturevalue("server"), "warehouse"))
    engine = connect(SETTINGS)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(settings):
    found = connect(settings)
    yield found
    found.dispose()


@pytest.fixture
def town(city):
    """Fills the lake with properties; `changes` replace columns of their analytics and valuations."""

    def fill(properties: int = 6, model: str = "m1", **changes):
        write_lake(properties, model, changes)
        return read_published_rows()

    return fill


@pytest.fixture
def rows_in_memory():
    """The function that reads the lake's rows of each published table."""
    return read_published_rows


def read_published_rows(system: str = "plane") -> dict[sqlalchemy.Table, pa.Table]:
    """The rows that the lake's tables give, in the order of their keys."""
    with tempfile.TemporaryDirectory() as folder:
        tables = published_rows(Coordinates(system=system), Path(folder))
        return {table: rows.read() for table, rows in tables.items()}


def write_lake(properties: int, model: str = "m1", changes=None) -> None:
    changes = changes or {}
    key = [f"p{number:05d}" for number in range(properties)]
    number = np.arange(properties, dtype=float)
    own = {"property_id": key, "location": "north", "property_type": "flat", "square_meters": 50 + number}
    own |= {"bedrooms": 2.0, "bathrooms": 1.0, "floor": np.where(number % 2, 3.0, np.nan)}
    sold = {"market_sales": 1, "other_sales": 0, "first_sale_date": DAY, "first_sale_price": 200_000 + number}
    sold |= {"last_sale_date": DAY, "last_sale_price": 200_000 + number, "last_price_per_square_meter": 4000.0}
    sold |= {"last_price_today": 210_000.5, "yearly_change": np.nan, "listings_seen": 1, "last_days_on_market": 30}
    sold |= {"last_asking_price": 250_000.0, "is_listed": number == 1, "asked_before_sale": 240_000.0}
    analytics = pd.DataFrame(own | {"year_built": 1990} | sold | {"discount_to_asking": 0.04})
    places = {
        "address": [f"{n + 1} Mill Lane" for n in range(properties)],
        "latitude": 1000 + number,
        "longitude": number,
    }
    valued = {"property_id": key, "valued_price": 201_000.25 + number, "valued_low": 180_000.0}
    valued |= {"valued_high": 220_000.0, "confidence": 0.93, "flags": "", "heating": "gas", "park_distance": number / 3}
    valued |= {"model_version": model, "data_version": "d1"}
    valuations = pd.DataFrame(valued)
    for name, values in changes.items():
        (analytics if name in analytics else valuations)[name] = values
    lake.write(lake.typed(analytics), lake.PROPERTY_ANALYTICS)
    lake.write(lake.typed(pd.DataFrame(own | places)), lake.RESOLVED_PROPERTIES)
    lake.write(lake.typed(valuations), lake.VALUATIONS)
    write_history(key)
    write_others()
    lake.write_json({"model_version": model, "data_version": "d1"}, BENTO)


def write_history(key: list[str]) -> None:
    common = {"property_id": [*key, None], "price": 200_000.0, "square_meters": 50.0}
    common |= {"location": "north", "property_type": "flat"}
    sales = {"transaction_id": [f"t{n}" for n in range(len(key) + 1)], "sale_date": DAY, "is_market": True}
    names = {"seller": "5e11e7", "buyer": "b04e7"}
    lake.write(lake.typed(pd.DataFrame(common | sales | names)), lake.RESOLVED_SALES)
    offers = {
        "listing_id": ["l1", "l2"],
        "property_id": ["p00001"] * 2,
        "listed_on": [DAY] * 2,
        "closed_on": [pd.NaT] * 2,
    }
    offers |= {"closed_on": [pd.NaT] * 2, "price": [250_000.0] * 2, "square_meters": [50.0] * 2}
    offers["duplicate_of"] = [None, "l1"]
    lake.write(lake.typed(pd.DataFrame(offers)), lake.RESOLVED_LISTINGS)


def write_others() -> None:
    nothing = {column.name: [None] for column in customer_analytics.columns}
    counts = {name: [0] for name in ("leads", "inquiries", "viewings", "offers", "purchases", "priced_purchases")}
    money = {"purchase_value": [0.0], "lifetime_value": [0.0]}
    customers = pd.DataFrame(nothing | {"customer_id": ["C1"], "segment": ["new"]} | counts | money)
    lake.write(customers, lake.CUSTOMER_ANALYTICS)
    months = {"month": [DAY, pd.Timestamp("2021-06-01")], "location": ["north"] * 2, "market_sales": [1, 0]}
    prices = {name: [4000.0, None] for name in ("average_price", "median_price", "average_price_per_square_meter")}
    counts = {name: [1, 0] for name in ("inventory", "new_listings", "closed_listings")}
    rest = {"price_index": [100.0, 101.5], "months_of_supply": [1.0, None], "median_days_on_market": [None, None]}
    markets = pd.DataFrame(months | prices | counts | rest | {"indicator_rate": [1.25, None]})
    lake.write(markets.astype({"median_days_on_market": float}), lake.MARKET_ANALYTICS)
    # May closed at 8.0, June at 8.1: a month's close stands in the next one's row.
    months = [2021 * 12 + number for number in (4, 5, 6)]
    lake.write(pd.DataFrame({"month": months, "market_level": [7.9, 8.0, 8.1]}), lake.MARKET_INDEX)


@pytest.fixture
def publication():
    """What a publication says of itself, besides its digest."""
    description = {"source": "town", "currency": "EUR", "level": 0.9, "model_version": "m1", "data_version": "d1"}
    return description | {"as_of": datetime.date(2021, 12, 31)}
