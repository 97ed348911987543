"""Searches of eight clients at once among a million properties, in SQLite and in PostgreSQL, and the market's trends.

    python -m benchmarks.search

Each search counts its matches and reads a page, through homei.warehouse.access as the service does, without HTTP. The
floor is `SELECT 1` by the same way: the driver's own time, the transaction's and that of a look at `publication`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import Connection, RowMapping

from benchmarks.warehouse import ADDRESS, AS_OF, HOMES, MOST_MS, _server, place, simulate
from homei.config import Publish
from homei.params import pick
from homei.warehouse import publish, trends
from homei.warehouse.access import Warehouse
from homei.warehouse.connection import SlowError
from homei.warehouse.search import MOST_COUNTED, Filters, Place, count, find

CLIENTS, SEARCHES, PAGE = 8, 100, 20
MOST_TRENDS_MS = 10.0
GROUND = Place("wgs84", 78_715.0, 111_320.0)
Work = Callable[[Connection, RowMapping], object]


def main() -> None:
    source = pick("source").source.model_copy(update={"as_of": AS_OF})
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        simulate(HOMES)
        for name, server in {"SQLite": contextlib.nullcontext(), "PostgreSQL": _server()}.items():
            with server as address:
                os.environ[ADDRESS] = address or f"sqlite:///{folder}/homei.db"
                settings = Publish(address=ADDRESS, file="")
                publish.run(source, settings)
                measure(name, settings)


def measure(name: str, settings: Publish) -> None:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{name}, {CLIENTS} clients, load {load}")
    warehouse, random = Warehouse(settings, connections=CLIENTS), np.random.default_rng(20260101)
    _tell("floor", _taken(warehouse, [lambda connection, _: connection.exec_driver_sql("SELECT 1").all()] * SEARCHES))
    kinds = _kinds(random)
    mixed = [_search(*kind()) for _ in range(SEARCHES // 4) for kind in kinds.values()]
    for title, kind in kinds.items():
        _tell(title, _taken(warehouse, [_search(*kind()) for _ in range(SEARCHES)]), MOST_MS[name])
    _tell("all of them, mixed", _taken(warehouse, mixed), MOST_MS[name])
    _tell("trends", _taken(warehouse, [_trends(random) for _ in range(SEARCHES)]), MOST_TRENDS_MS)
    warehouse.close()


def _taken(warehouse: Warehouse, works: list[Work]) -> np.ndarray:
    """Milliseconds of each; what was ended because it took too long counts as infinite."""

    def one(work: Work) -> float:
        began = time.perf_counter()
        try:
            warehouse.read(work)
        except SlowError:
            return np.inf
        return 1_000 * (time.perf_counter() - began)

    with ThreadPoolExecutor(CLIENTS) as clients:
        return np.array(list(clients.map(one, works)))


def _tell(title: str, taken: np.ndarray, most: float | None = None) -> None:
    tail = float(np.quantile(taken, 0.95, method="higher"))
    verdict = "" if most is None else f": {'meets' if tail <= most else 'MISSES'} <= {most:g} ms"
    print(f"  {title}: median {np.median(taken):.1f} ms, p95 {tail:.1f} ms{verdict}")


def _search(filters: Filters, order: str) -> Work:
    def work(connection: Connection, _: RowMapping) -> object:
        many = count(connection, filters, GROUND, order) > MOST_COUNTED
        return find(connection, filters, GROUND, order, False, PAGE, None, many)

    return work


def _trends(random: np.random.Generator) -> Work:
    market = trends.Market(place(random), None, 36, "month")
    return lambda connection, published: trends.find(connection, market, published["as_of"])


def _kinds(random: np.random.Generator) -> dict[str, Callable[[], tuple[Filters, str]]]:
    def box() -> dict[str, float]:
        south, west = random.uniform(44.85, 45.14), random.uniform(-30.15, -29.87)
        return {"south": south, "north": south + 0.009, "west": west, "east": west + 0.0127}

    def centre() -> dict[str, float]:
        return {"latitude": random.uniform(44.9, 45.1), "longitude": random.uniform(-30.1, -29.9), "radius": 500.0}

    return {
        "location, type and price": lambda: (
            Filters(location=place(random), property_type="flat", price_min=random.uniform(1e5, 4e5)), "price",
        ),
        "price alone": lambda: (Filters(price_min=random.uniform(1e5, 1e6)), "price"),
        "area and bedrooms": lambda: (Filters(area_min=random.uniform(40, 150), bedrooms_min=3.0), "area"),
        "location, bedrooms and year": lambda: (
            Filters(location=place(random), bedrooms_min=2.0, year_min=1980), "price",
        ),
        "a box of a kilometre": lambda: (Filters(**box()), "price"),
        "within 500 metres, the nearest": lambda: (Filters(**centre()), "distance"),
        "two words of an address": lambda: (
            Filters(address=f"street{random.integers(5_000)} {random.integers(1, 90)}"), "price",
        ),
    }  # fmt: skip


if __name__ == "__main__":
    main()
