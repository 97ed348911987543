"""A service that asks for tokens: the real app behind the real gate, with a warehouse in SQLite and keys of its own."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from around import kept, served, surrounded
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select

from homei.config import Publish
from homei.serve.access import clients, keys, tokens
from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.scopes import SCOPES
from homei.serve.app import create_app
from homei.serve.audit.trail import Trail
from homei.serve.desk import Desk
from homei.serve.predictions.log import PredictionLog
from homei.serve.predictions.metrics import Metrics
from homei.warehouse.access import Warehouse
from homei.warehouse.connection import connect
from homei.warehouse.schema import migrate
from homei.warehouse.tables import audit

NEVER_SET = "HOMEI_TEST_WAREHOUSE"
UNHINDERED = 10**9  # what is under test is behind rates and lock-outs, which have tests of their own
NOW = datetime.datetime.now(datetime.UTC)


@dataclass
class Place:
    """Where a service keeps what it needs, and how a test asks it."""

    folder: Path
    engine: Engine
    keeper: Doorkeeper
    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    addresses: Iterator[int] = field(default_factory=itertools.count)

    @property
    def key_folder(self) -> Path:
        return self.folder / "keys"

    @property
    def apart(self) -> Path:
        return self.folder / "audit"

    def add(self, name: str, *scopes: str, rate: int | None = None) -> None:
        self.secrets[name] = clients.add(self.engine, self.apart, name, scopes, rate)
        self.until(lambda: self.keeper.knows(name))

    def token(self, name: str, *scopes: str) -> str:
        return tokens.issue(self.keeper.keys.newest, self.keeper.rules, name, scopes, time.time())

    def session(self, token: str | None = None) -> httpx.Client:
        """From an address that no other session has; uvicorn believes what a proxy on loopback says of it."""
        number = next(self.addresses)
        headers = {"x-forwarded-for": f"198.51.{number // 250}.{number % 250 + 1}"}
        headers |= {"authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def line(self, request_id: str):
        """The trail's line of a request, once it is there."""
        found = []

        def look() -> bool:
            with self.engine.connect() as connection:
                found.extend(connection.execute(select(audit).where(audit.c.request_id == request_id)).mappings())
            return bool(found)

        self.until(look)
        return found[0]

    @staticmethod
    def until(is_so, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.02)


@contextlib.contextmanager
def opened_in(
    contract, predictor, folder: Path, where: Publish | None = None, log: PredictionLog | None = None, **rules
) -> Iterator[Place]:
    """Opens a place in a folder for the length of a block, over a warehouse of its own if none is named."""
    where = where or Publish(address=NEVER_SET, file=str(folder / "warehouse.db"))
    engine = connect(where)
    migrate(engine)
    if not (folder / "keys").exists():
        keys.make(folder / "keys", NOW)
    access = contract.limits.access.model_copy(update=rules)
    trail = Trail(connect(where), folder / "audit", pause=0.02)
    keeper = Doorkeeper(access, folder / "keys", connect(where), trail, every=0.1)
    app = create_app(contract, keeper)
    app.state.predictor, app.state.log, app.state.cache = predictor, log, kept(contract)
    app.state.warehouse = Desk(Warehouse(where))
    keeper.start()
    try:
        with served(surrounded(app, contract.limits, keeper)) as url:
            yield Place(folder, engine, keeper, url)
    finally:
        keeper.stop()
        engine.dispose()


@contextlib.contextmanager
def whole_town(contract, predictor, folder: Path, published: Publish) -> Iterator[Place]:
    """A service over a published warehouse, and `boss`, who may do all."""
    metrics = Metrics("latest", "m", "d", CollectorRegistry())
    log = PredictionLog("latest", metrics, folder / "waiting", Warehouse(published, connections=1), 0.02, retry=0.2)
    log.start()
    try:
        rules = {"requests_per_second": UNHINDERED, "failures": UNHINDERED, "token_seconds": 3600}
        with opened_in(contract, predictor, folder, published, log, **rules) as place:
            place.add("boss", *SCOPES)
            yield place
    finally:
        log.stop()
