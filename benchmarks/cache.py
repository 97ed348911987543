"""Searches and trends without a cache, with one in memory, and with one in Redis.

Run `python -m benchmarks.cache` in the project's folder, after `dvc repro`. Requests go to the packaged service's app
without HTTP, one at a time, so that only the cache differs. Rounds alternate between the caches, so that other load on
the machine affects all equally. "first" are requests that were not made before, "again" the same requests once more.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from homei.serving.app import create_app
from homei.serving.cache.service import from_environment
from homei.serving.cache.store import CacheMetrics
from homei.serving.contract import Contract, read
from homei.serving.launch import checked_bento, environment
from homei.serving.predictor import Predictor
from homei.serving.routers.trends import TRENDS
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Warehouse

sys.path += [str(Path(__file__).parents[1] / "tests" / name) for name in ("serving", "whole")]
import redis_process

SEARCH = "/api/v1/properties/search"
ROUNDS, REQUESTS = 5, 40
CACHES = ("none", "memory", "redis")


def main() -> None:
    root = checked_bento() / "src"
    contract = read(root)
    os.environ.update(environment())
    predictor = Predictor.load(root, contract)
    with redis_process.running() as redis:
        asyncio.run(measure(contract, predictor, redis.url))


async def measure(contract: Contract, predictor: Predictor, redis_url: str) -> None:
    """Prints a line for each kind of request, with each cache."""
    urls = {"none": None, "memory": "", "redis": redis_url}
    clients = {name: _client(_app(contract, predictor, url)) for name, url in urls.items()}
    print(f"Milliseconds a request, the median of {ROUNDS} rounds of {REQUESTS} requests")
    print(f"{'':<10}" + "".join(f"{name:>15}" for name in ("none", "memory first", "again", "Redis first", "again")))
    for title in ("search", "trends"):
        times: dict[tuple[str, str], list[float]] = {}
        for round_number in range(ROUNDS):
            for name in CACHES:
                for turn in ("first", "again"):
                    milliseconds = await _round(clients[name], contract, title, round_number * REQUESTS)
                    times.setdefault((name, turn), []).append(milliseconds)
        columns = [("none", "first"), *((name, turn) for name in CACHES[1:] for turn in ("first", "again"))]
        print(f"{title:<10}" + "".join(f"{statistics.median(times[column]):>15.2f}" for column in columns))


def _app(contract: Contract, predictor: Predictor, redis_url: str | None) -> FastAPI:
    """The service's app with a cache in Redis, in memory for an empty URL, or without a cache for None."""
    app = create_app(contract)
    app.state.predictor, app.state.warehouse = predictor, WarehouseClient(Warehouse(contract.warehouse))
    if redis_url is not None:
        os.environ[contract.limits.cache.address_variable] = redis_url
        app.state.cache = from_environment(contract, CacheMetrics(CollectorRegistry()))
    return app


def _client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def _round(client: httpx.AsyncClient, contract: Contract, title: str, first: int) -> float:
    start = time.perf_counter()
    for number in range(first, first + REQUESTS):
        path, query = _request(contract, title, number)
        (await client.get(path, params=query)).raise_for_status()
    return 1_000 * (time.perf_counter() - start) / REQUESTS


def _request(contract: Contract, title: str, number: int) -> tuple[str, dict[str, Any]]:
    if title == "trends":
        return TRENDS, {"months": 24 + number % 96}
    return SEARCH, {"property_type": contract.property_types[0], "price_min": 1000 + number, "sort": "-area"}


if __name__ == "__main__":
    main()
