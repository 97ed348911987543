"""Answers made anew beside answers that were kept, in memory and in a Redis of its own, in one run.

`python -m benchmarks.cache` in the project's folder, after `dvc repro`. The app of the packaged service is called
without HTTP, one request at a time: what differs is the cache alone. Rounds alternate between the caches, so that what
else the machine does hits all alike. `new` are questions never asked before, `again` the same ones once more.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic_core import from_json, to_json

from homei.serving.app import create_app
from homei.serving.cache.service import from_environment
from homei.serving.cache.store import CacheMetrics
from homei.serving.contract import Contract, read
from homei.serving.launch import checked_bento, environment
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of
from homei.serving.routers.trends import TRENDS
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.sessions import Warehouse

sys.path += [str(Path(__file__).parents[1] / "tests" / name) for name in ("serve", "whole")]
import redisd

PRICE = "/api/v1/predict/price"
SEARCH = "/api/v1/properties/search"
ROUNDS, QUESTIONS = 5, 40
CACHES = ("none", "memory", "redis")
Ask = Callable[[FastAPI, int], Awaitable[None]]


def main() -> None:
    root = checked_bento() / "src"
    contract = read(root)
    os.environ.update(environment())
    predictor = Predictor.load(root, contract)
    with redisd.running() as server:
        sys.stdout.write(f"Milliseconds a request, the median of {ROUNDS} rounds of {QUESTIONS} questions.\n")
        sys.stdout.write(asyncio.run(measured(contract, predictor, server.url)))


async def measured(contract: Contract, predictor: Predictor, redis: str) -> str:
    """A line for each kind of question, with each cache."""
    apps = {name: _app(contract, predictor, {"redis": redis}.get(name), name != "none") for name in CACHES}
    lines = [f"{'':<34}" + "".join(f"{name:>15}" for name in ("none", "memory new", "again", "Redis new", "again"))]
    for title, ask in {**_routes(contract), "plain, were it kept as the others": _plain(contract, predictor)}.items():
        taken: dict[tuple[str, str], list[float]] = {}
        for number in range(ROUNDS):
            for name in CACHES:
                for turn in ("new", "again"):
                    taken.setdefault((name, turn), []).append(await _round(apps[name], ask, number * QUESTIONS))
        shown = [taken["none", "new"], *(taken[name, turn] for name in CACHES[1:] for turn in ("new", "again"))]
        lines.append(f"{title:<34}" + "".join(f"{statistics.median(figures):>15.2f}" for figures in shown))
    return "\n".join(lines) + "\n"


def _app(contract: Contract, predictor: Predictor, redis: str | None, has_cache: bool) -> FastAPI:
    app = create_app(contract)
    app.state.predictor, app.state.warehouse = predictor, WarehouseClient(Warehouse(contract.warehouse))
    os.environ[contract.limits.cache.address] = redis or ""
    if has_cache:
        app.state.cache = from_environment(contract, CacheMetrics(CollectorRegistry()))
    return app


async def _round(app: FastAPI, ask: Ask, first: int) -> float:
    began = time.perf_counter()
    for number in range(first, first + QUESTIONS):
        await ask(app, number)
    return 1_000 * (time.perf_counter() - began) / QUESTIONS


def _routes(contract: Contract) -> dict[str, Ask]:
    kind = contract.property_types[0]

    def get(path: str, query: Callable[[int], str]) -> Ask:
        return lambda app, number: _called(app, "GET", path, query(number))

    def post(include: str) -> Ask:
        return lambda app, number: _called(app, "POST", PRICE, f"include={include}", _home(contract, number))

    return {
        "search": get(SEARCH, lambda number: f"property_type={kind}&price_min={1000 + number}&sort=-area"),
        "trends": get(TRENDS, lambda number: f"months={24 + number}"),
        "valuation, plain": post(""),
        "valuation with comparables": post("comparables"),
        "valuation with reasons": post("reasons"),
        "valuation with both": post("comparables,reasons"),
    }


def _plain(contract: Contract, predictor: Predictor) -> Ask:
    """A plain valuation without its request, made or looked up where the others are, in Redis too: why it isn't."""
    model = property_model(contract)

    async def ask(app: FastAPI, number: int) -> None:
        row, cache = rows_of([model.model_validate(_home(contract, number))], contract)[0], app.state.cache
        if cache is None:
            to_json(predictor.value([row], alone=True)[0])
            return
        key = cache.key(PRICE, predictor.stamp, row)

        async def make() -> tuple[str, bytes]:
            return key, to_json(predictor.value([row], alone=True)[0])

        from_json((await cache.answer(PRICE, key, make)).body)

    return ask


def _home(contract: Contract, number: int) -> dict[str, Any]:
    return {**contract.example, "square_meters": contract.example["square_meters"] + number / 100}


async def _called(app: FastAPI, method: str, path: str, query: str, body: Any = None) -> None:
    sent = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])
    await app(_scope(method, path, query), _receiver(sent), _expect_ok)


def _scope(method: str, path: str, query: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}
    return {**scope, "query_string": query.encode(), "root_path": "", "scheme": "http", "http_version": "1.1"}


def _receiver(sent: Iterator[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return next(sent)

    return receive


async def _expect_ok(message: dict[str, Any]) -> None:
    if message.get("status", 200) != 200:
        raise RuntimeError(f"answered {message['status']}")


if __name__ == "__main__":
    main()
