"""A lake of few homes, and warehouses to publish it into: real files and a real server."""

import datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from homei import lake
from homei.config import Publish
from homei.source import Coordinates
from homei.warehouse.connection import connect
from homei.warehouse.contents import contents
from homei.warehouse.publish import BENTO
from homei.warehouse.tables import customer_analytics

ADDRESS = "HOMEI_WAREHOUSE"
DAY = pd.Timestamp("2021-05-01")


@pytest.fixture(scope="session")
def server(postgresql):
    """A PostgreSQL; without one, warehouses are tried on SQLite alone."""
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path, monkeypatch) -> Publish:
    """Where an empty warehouse is, of each kind in turn; the current folder is an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ADDRESS, raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv(ADDRESS, emptied(request.getfixturevalue("server")))
    return Publish(address=ADDRESS, file="data/warehouse/homei.db")


def emptied(server) -> str:
    """The address of the server's database, in which there is nothing."""
    admin = sqlalchemy.create_engine(server.url)
    with admin.begin() as connection:
        connection.exec_driver_sql("drop schema public cascade")
        connection.exec_driver_sql("create schema public")
    admin.dispose()
    return server.url


@pytest.fixture
def engine(settings):
    found = connect(settings)
    yield found
    found.dispose()


@pytest.fixture
def town(source):
    """Fills the current folder's lake with homes, `changes` replacing columns of their analytics and valuations."""

    def fill(homes: int = 6, model: str = "m1", **changes):
        write_lake(homes, model, changes)
        return contents(Coordinates(system="plane"))

    return fill


def write_lake(homes: int, model: str = "m1", changes=None) -> None:
    changes = changes or {}
    key = [f"p{number:05d}" for number in range(homes)]
    number = np.arange(homes, dtype=float)
    own = {"property_id": key, "location": "north", "property_type": "flat", "square_meters": 50 + number}
    own |= {"bedrooms": 2.0, "bathrooms": 1.0, "floor": np.where(number % 2, 3.0, np.nan)}
    sold = {"market_sales": 1, "other_sales": 0, "first_sale_date": DAY, "first_sale_price": 200_000 + number}
    sold |= {"last_sale_date": DAY, "last_sale_price": 200_000 + number, "last_price_per_square_meter": 4000.0}
    sold |= {"last_price_today": 210_000.5, "yearly_change": np.nan, "listings_seen": 1, "last_days_on_market": 30}
    sold |= {"last_asking_price": 250_000.0, "is_listed": number == 1, "asked_before_sale": 240_000.0}
    analytics = pd.DataFrame(own | {"year_built": 1990} | sold | {"discount_to_asking": 0.04})
    places = {"address": [f"{n + 1} Mill Lane" for n in range(homes)], "latitude": 1000 + number, "longitude": number}
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
    told = {"source": "town", "currency": "EUR", "level": 0.9, "model_version": "m1", "data_version": "d1"}
    return told | {"as_of": datetime.date(2021, 12, 31)}
