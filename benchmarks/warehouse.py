"""Properties, each sold once, into PostgreSQL and SQLite: time and peak memory of publications.

    python -m benchmarks.warehouse [PROPERTIES]           # a million

Makes a lake in a temporary folder, and starts the PostgreSQL that the machine has. Each publication is the whole stage
in a process of its own: reading, joining, hashing, loading, indexes. For comparison, `COPY` (PostgreSQL) or
`executemany` (SQLite) loads the rows of property_analytics into a table without keys or indexes.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Column, MetaData, Table

from homei.config.city import CityConfig
from homei.config.params import pick
from homei.features.columns import MARKET_LEVEL, month_of
from homei.storage import lake
from homei.training.config import IntervalsConfig
from homei.warehouse import merge, publish
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connected, writing
from homei.warehouse.published_rows import published_rows
from homei.warehouse.tables import customer_analytics, market_analytics, property_analytics

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ingestion"))
import postgres

PROJECT = Path(__file__).parents[1]
PROPERTIES = 1_000_000
MAX_SECONDS_PER_MILLION = {"PostgreSQL": 60.0, "SQLite": 40.0}  # of the first publication
MAX_MEGABYTES = 1_500  # of the process, whatever the number of properties
ADDRESS = "HOMEI_BENCHMARK_WAREHOUSE"
INTERVALS = IntervalsConfig(level=0.9, folds=4)
AS_OF = datetime.date(2025, 12, 31)
SETTINGS = PublishConfig(address=ADDRESS, file="")
N_DISTRICTS = 40


def main() -> None:
    n_properties = int(sys.argv[1]) if len(sys.argv) > 1 else PROPERTIES
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, server in {"SQLite": contextlib.nullcontext(), "PostgreSQL": _server()}.items():
            with server as address:
                simulate(n_properties)
                os.environ[ADDRESS] = address or f"sqlite:///{folder}/homei.db"
                measure(name, n_properties)


@contextlib.contextmanager
def _server() -> Iterator[str]:
    with postgres.running(fsync="on") as server:
        yield server.url


def measure(name: str, n_properties: int) -> None:
    """Publishes a lake, then changed ones; prints a line for each publication."""
    print(f"{name}: {n_properties:,} properties and as many sales")
    first = published("first publication")
    limit = MAX_SECONDS_PER_MILLION[name] * n_properties / 1e6
    published("nothing changed")
    revalue(lambda rows: rows.index < len(rows) // 100)
    published("1 % of the properties changed, in one district")
    revalue(lambda rows: rows.index % 100 == 0)
    published("1 % of the properties changed, in all districts")
    revalue(lambda rows: rows.index >= 0)
    published("all values changed")
    print(f"  {'--check':50s} {seconds(lambda: publish.check(SETTINGS)):7.1f} s")
    print(f"  {'the rows alone, without key and indexes':50s} {_bare_seconds():7.1f} s")
    for value, most, unit in ((first["seconds"], limit, "s"), (first["megabytes"], MAX_MEGABYTES, "MB")):
        print(
            f"  first publication: {value:,.0f} {unit}, {'meets' if value <= most else 'MISSES'} <= {most:,.0f} {unit}"
        )


def published(what: str) -> dict[str, float]:
    """Time, processor time and peak memory of a publication in a process of its own."""
    code = "from benchmarks.warehouse import publish_once; publish_once()"
    paths = os.pathsep.join([str(PROJECT), str(PROJECT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True)
    figures = json.loads(result.stdout)
    print(f"  {what:50s} {figures['seconds']:7.1f} s {figures['cpu']:7.1f} CPU s {figures['megabytes']:7,.0f} MB")
    return figures


def publish_once() -> None:
    """Runs the stage in the current folder and prints its figures as JSON."""
    city = benchmark_city()
    before = resource.getrusage(resource.RUSAGE_SELF)
    elapsed = seconds(lambda: publish.run(city, INTERVALS, SETTINGS))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": elapsed, "cpu": cpu, "megabytes": after.ru_maxrss / 1024}))


def benchmark_city() -> CityConfig:
    """The project's city as of AS_OF."""
    with contextlib.chdir(PROJECT):
        return pick("city").city.model_copy(update={"as_of": AS_OF})


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bare_seconds() -> float:
    """The time that the database needs to take the rows of property_analytics without checking anything."""
    city = benchmark_city()
    with tempfile.TemporaryDirectory() as folder, connected(SETTINGS) as engine, writing(engine) as connection:
        rows = published_rows(city.coordinates, Path(folder))[property_analytics]
        table = Table("bare", MetaData(), *(Column(column.name, column.type) for column in property_analytics.columns))
        table.create(connection)
        elapsed = seconds(lambda: merge.send(connection, table, rows.batches()))
        table.drop(connection)
        return elapsed


def simulate(n_properties: int) -> None:
    """The lake's tables of a city with so many properties, in the order of their districts, in the current folder."""
    random = np.random.default_rng(20260101)
    key = np.char.add("P", np.char.zfill(np.arange(n_properties).astype(str), 8)).astype(object)
    area = np.round(random.uniform(20, 220, n_properties), 1)
    price = np.round(area * random.lognormal(8, 0.3, n_properties), 2)
    district = np.arange(n_properties) * N_DISTRICTS // n_properties
    kind = random.choice(np.array(["flat", "house", "studio"], object), n_properties)
    own = {
        "property_id": key,
        "location": np.array([f"district {n}" for n in range(N_DISTRICTS)], object)[district],
        "property_type": kind,
        "square_meters": area,
        "bedrooms": np.floor(area / 30),
        "bathrooms": np.floor(area / 60),
        "floor": random.integers(0, 20, n_properties).astype(float),
        "year_built": random.integers(1900, 2025, n_properties),
    }
    sold_on = np.datetime64("2021-01-01") + random.integers(0, 1800, n_properties)
    days = pd.Series(sold_on.astype("datetime64[ms]"))
    sold = {
        "market_sales": 1, "other_sales": 0, "first_sale_date": days, "first_sale_price": price, "last_sale_date": days,
        "last_sale_price": price, "last_price_per_square_meter": np.round(price / area, 2),
        "last_price_today": np.round(price * 1.02, 2), "yearly_change": np.nan, "listings_seen": 1,
        "last_days_on_market": random.integers(5, 200, n_properties), "last_asking_price": np.round(price * 1.03, 0),
        "is_listed": random.random(n_properties) < 0.1, "asked_before_sale": np.round(price * 1.03, 0),
        "discount_to_asking": 0.03,
    }  # fmt: skip
    lake.write(lake.typed(pd.DataFrame(own | sold)), lake.PROPERTY_ANALYTICS)
    streets = random.integers(0, 5_000, n_properties)
    addresses = [f"Flat {n % 90}, {n % 97} Street{street} Road" for n, street in enumerate(streets.tolist())]
    places = {
        "latitude": random.uniform(44.85, 45.15, n_properties),
        "longitude": random.uniform(-30.15, -29.85, n_properties),
    }
    lake.write(lake.typed(pd.DataFrame({**own, "address": addresses, **places})), lake.RESOLVED_PROPERTIES)
    _sales(own, days, price)
    _valuations(key, price)
    _others()


def _sales(own: dict[str, np.ndarray], days: pd.Series, price: np.ndarray) -> None:
    """One sale of each property, and a constant price level."""
    columns = {name: own[name] for name in ("property_id", "location", "property_type", "square_meters")}
    columns |= {"transaction_id": np.char.replace(own["property_id"].astype(str), "P", "T").astype(object)}
    columns |= {"sale_date": days, "price": price, "is_market": True}
    lake.write(lake.typed(pd.DataFrame(columns)), lake.RESOLVED_SALES)
    months = np.arange(2021 * 12, month_of(AS_OF) + 2)
    lake.write(pd.DataFrame({"month": months, MARKET_LEVEL: 8.0}), lake.MARKET_INDEX)


def _valuations(key: np.ndarray, price: np.ndarray) -> None:
    valued = {"valued_price": price, "valued_low": np.round(price * 0.9, 2), "valued_high": np.round(price * 1.1, 2)}
    columns = {
        "property_id": key,
        **valued,
        "confidence": 0.93,
        "flags": "",
        "park_distance": np.round(price % 3000, 1),
    }
    versions = {"model_version": "m1", "data_version": "d1"}
    lake.write(pd.DataFrame(columns | versions), lake.VALUATIONS)


def revalue(is_changed: Callable[[pd.DataFrame], np.ndarray]) -> None:
    """Gives some properties other values."""
    valuations = lake.read(lake.VALUATIONS)
    changed = is_changed(valuations)
    for name in ("valued_price", "valued_low", "valued_high"):
        valuations.loc[changed, name] = np.round(valuations.loc[changed, name] * 1.001 + 1, 2)
    lake.write(valuations, lake.VALUATIONS)


def _others() -> None:
    """The tables of customers and the market, and the file that names the model."""
    customers = {"customer_id": ["C1"], "registered_on": [pd.Timestamp(AS_OF)]}
    counts = ("leads", "inquiries", "viewings", "offers", "purchases", "priced_purchases")
    full = {column.name: [None] for column in customer_analytics.columns} | customers | {name: [0] for name in counts}
    lake.write(pd.DataFrame(full | {"purchase_value": [0.0], "lifetime_value": [0.0]}), lake.CUSTOMER_ANALYTICS)
    market = {column.name: [1.0] for column in market_analytics.columns if column.name != "indicators"}
    market |= {"month": [pd.Timestamp("2025-12-01")], "location": ["district 1"]}
    lake.write(pd.DataFrame(market), lake.MARKET_ANALYTICS)
    empty = ["listing_id", "listed_on", "closed_on", "duplicate_of", "property_id", "price", "square_meters"]
    lake.write(pd.DataFrame({name: pd.Series(dtype=object) for name in empty}), lake.RESOLVED_LISTINGS)
    lake.write_json({"model_version": "m1", "data_version": "d1"}, publish.BENTO)


if __name__ == "__main__":
    main()
