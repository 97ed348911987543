"""Two apps for `benchmarks/search.py`: the service's routers, and a plain FastAPI app.

`ours` has the routers and the WarehouseClient of the service, without a model, middleware and BentoML. `plain` calls
the database driver in sync routes, with one statement for the page and one for the capped count, over the same tables
and indexes. `bare` queries nothing.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from types import SimpleNamespace
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from psycopg.rows import dict_row
from starlette.responses import Response

from homei.serving.problem_details import add_exception_handlers
from homei.serving.routers import properties, trends
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.config import PublishConfig
from homei.warehouse.search_sql import CoordinateScale
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import STRIP_HEIGHT, WORD_VECTOR

ADDRESS = "HOMEI_BENCHMARK_WAREHOUSE"
GROUND = CoordinateScale("wgs84", 78_715.0, 111_320.0)
PATH, TRENDS, BARE = "/api/v1/properties/search", "/api/v1/analytics/market-trends", "/bare"
SECONDS = 2.0
COLUMNS = (
    "property_id, address, location, property_type, square_meters, bedrooms, bathrooms, floor, year_built, latitude, "
    "longitude, is_listed, price, last_asking_price, valued_price, valued_low, valued_high, confidence, flags"
)
NAMES = {"price": "price", "area": "square_meters", "bedrooms": "bedrooms", "year": "year_built"}

TEXTS = ("location", "property_type", "address")
HEIGHT = STRIP_HEIGHT[GROUND.system]
AWAY = (
    f"((longitude - {{longitude}}) * (longitude - {{longitude}}) * {GROUND.east**2}"
    f" + (latitude - {{latitude}}) * (latitude - {{latitude}}) * {GROUND.north**2})"
)

ours = FastAPI()
ours.state.warehouse, ours.state.cache = WarehouseClient(Warehouse(PublishConfig(address=ADDRESS, file=""))), None
add_exception_handlers(ours)
ours.include_router(properties.create_router(SimpleNamespace(place=GROUND)))  # type: ignore[arg-type]
ours.include_router(trends.router)


@ours.get(BARE)
async def bare() -> Response:
    return Response("{}", media_type="application/json")


plain = FastAPI()
local = threading.local()


@plain.exception_handler(sqlite3.OperationalError)
@plain.exception_handler(psycopg.errors.QueryCanceled)
async def slow(_: Request, __: Exception) -> Response:
    return Response(status_code=503)


def rows(sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a statement, from a connection of the thread."""
    address = os.environ[ADDRESS]
    if is_sqlite():
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(address.removeprefix("sqlite:///"))
            local.connection.row_factory = sqlite3.Row
            local.connection.set_progress_handler(lambda: time.monotonic() > local.end, 50_000)
        local.end = time.monotonic() + SECONDS
        return [dict(row) for row in local.connection.execute(sql, values)]
    if not hasattr(local, "connection"):
        url = address.replace("+psycopg", "")
        local.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        local.connection.execute(f"SET statement_timeout = {int(SECONDS * 1000)}")
    return local.connection.execute(sql, values).fetchall()


def mark(name: str) -> str:
    return f":{name}" if is_sqlite() else f"%({name})s"


def is_sqlite() -> bool:
    return os.environ[ADDRESS].startswith("sqlite")


@plain.get(PATH)
def search(request: Request) -> dict[str, Any]:
    params: dict[str, Any] = dict(request.query_params)
    sort = params.pop("sort", "price")
    values = {name: value if name in TEXTS else float(value) for name, value in params.items()}
    conditions = [f"{name} = {mark(name)}" for name in ("location", "property_type") if name in params]
    for name, column in NAMES.items():
        conditions += [f"{column} >= {mark(name + '_min')}"] if f"{name}_min" in params else []
        conditions += [f"{column} <= {mark(name + '_max')}"] if f"{name}_max" in params else []
    order = NAMES.get(sort.removeprefix("-"), AWAY.format(**{name: mark(name) for name in ("latitude", "longitude")}))
    if "radius" in params:
        up, across = values["radius"] / GROUND.north, values["radius"] / GROUND.east
        values |= {"south": values["latitude"] - up, "north": values["latitude"] + up}
        values |= {"west": values["longitude"] - across, "east": values["longitude"] + across}
        conditions.append(f"{order} <= {mark('radius')} * {mark('radius')}")
    if "south" in values:
        strips = range(int(values["south"] // HEIGHT), int(values["north"] // HEIGHT) + 1)
        conditions.append(f"strip IN ({', '.join(map(str, strips))})")
        conditions.append(f"latitude BETWEEN {mark('south')} AND {mark('north')}")
        conditions.append(f"longitude BETWEEN {mark('west')} AND {mark('east')}")
    if "address" in params:
        sqlite, words = is_sqlite(), params["address"].split()
        values["said"] = " ".join(words) + "*" if sqlite else " & ".join(words) + ":*"
        fts5 = f"property_id IN (SELECT property_id FROM property_words WHERE property_words MATCH {mark('said')})"
        conditions.append(fts5 if sqlite else f"{WORD_VECTOR} @@ CAST({mark('said')} AS tsquery)")
    where, falling = " AND ".join(conditions), " DESC" if sort.startswith("-") else ""
    page = f"SELECT {COLUMNS} FROM property_analytics WHERE {where} ORDER BY {order}{falling}, property_id LIMIT 21"
    counted = f"SELECT count(*) AS n FROM (SELECT 1 FROM property_analytics WHERE {where} LIMIT 1001) AS found"
    return {"properties": rows(page, values), "total": rows(counted, values)[0]["n"]}


@plain.get(TRENDS)
def market_trends(location: str, months: int) -> dict[str, Any]:
    sql = f"""
        SELECT * FROM market_trends WHERE frequency = 'month' AND location = {mark("location")} AND property_type = ''
        ORDER BY period DESC LIMIT {mark("months")}"""
    return {"periods": rows(sql, {"location": location, "months": months})}
