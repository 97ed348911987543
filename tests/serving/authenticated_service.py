"""A service that requires tokens: the real app and middleware, with its own warehouse and keys."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import warehouses
from live_server import cache_from_environment, live_server, with_middleware
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select

from homei.serving.app import create_app
from homei.serving.audit.trail import AuditTrail
from homei.serving.auth import clients, signing_keys, tokens
from homei.serving.auth.context import AuthContext
from homei.serving.auth.route_access import SCOPES
from homei.serving.predictions.log import PredictionLog
from homei.serving.predictions.metrics import PredictionMetrics
from homei.serving.warehouse_client import WarehouseClient
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import audit

UNSET_VARIABLE = "HOMEI_TEST_WAREHOUSE"
UNLIMITED = 10**9  # rates and lock-outs have tests of their own
NOW = datetime.datetime.now(datetime.UTC)


class FakeClock:
    """The functions of `time` that the middleware uses, some seconds ahead."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self, seconds: float) -> None:
        self.time = lambda: time.time() + seconds
        self.monotonic = lambda: time.monotonic() + seconds


@dataclass
class AuthenticatedService:
    """A running service, its folder, and clients for requests to it."""

    folder: Path
    engine: Engine
    auth: AuthContext
    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    addresses: Iterator[int] = field(default_factory=itertools.count)

    @property
    def key_folder(self) -> Path:
        return self.folder / "keys"

    @property
    def audit_folder(self) -> Path:
        return self.folder / "audit"

    def add_client(self, name: str, *scopes: str, rate: int | None = None) -> None:
        self.secrets[name] = clients.add_client(self.engine, self.audit_folder, name, scopes, rate)
        self.wait_until(lambda: self.auth.has_client(name))

    def token(self, name: str, *scopes: str) -> str:
        return tokens.issue_token(self.auth.keys.newest, self.auth.config, name, scopes, time.time())

    def session(self, token: str | None = None) -> httpx.Client:
        """A client with an IP address of its own: uvicorn trusts a proxy on loopback to name it."""
        number = next(self.addresses)
        headers = {"x-forwarded-for": f"198.51.{number // 250}.{number % 250 + 1}"}
        headers |= {"authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def audit_row(self, request_id: str):
        """The audit entry of a request, once it is in the warehouse."""
        rows = []

        def has_row() -> bool:
            with self.engine.connect() as connection:
                rows.extend(connection.execute(select(audit).where(audit.c.request_id == request_id)).mappings())
            return bool(rows)

        self.wait_until(has_row)
        return rows[0]

    @staticmethod
    def wait_until(condition, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.02)


@contextlib.contextmanager
def run_service(
    contract, predictor, folder: Path, publish: PublishConfig | None = None, log: PredictionLog | None = None, **access
) -> Iterator[AuthenticatedService]:
    """Runs a service for the length of a block, by default over an empty warehouse.

    `access` changes limits.
    """
    if publish is None:
        publish = PublishConfig(address=UNSET_VARIABLE, file=str(folder / "warehouse.db"))
        warehouses.migrated_file(Path(publish.file))
    engine = connect(publish)
    if not (folder / "keys").exists():
        signing_keys.create_key(folder / "keys", NOW)
    config = contract.limits.access.model_copy(update=access)
    trail = AuditTrail(Warehouse(publish, connections=1, seconds=5), folder / "audit", 0.02, retry_seconds=0.2)
    auth = AuthContext(config, folder / "keys", connect(publish), trail, refresh_seconds=0.1)
    app = create_app(contract, auth)
    app.state.predictor, app.state.prediction_log, app.state.cache = predictor, log, cache_from_environment(contract)
    app.state.warehouse = WarehouseClient(Warehouse(publish))
    auth.start()
    try:
        with live_server(with_middleware(app, contract.limits, auth)) as url:
            yield AuthenticatedService(folder, engine, auth, url)
    finally:
        auth.stop()
        engine.dispose()


@contextlib.contextmanager
def run_full_service(contract, predictor, folder: Path, publish: PublishConfig) -> Iterator[AuthenticatedService]:
    """Runs a service with a published warehouse, a prediction log, and the client `boss` with all scopes."""
    metrics = PredictionMetrics("latest", "m", "d", CollectorRegistry())
    warehouse = Warehouse(publish, connections=1)
    log = PredictionLog("latest", metrics, folder / "waiting", warehouse, 0.02, retry_seconds=0.2)
    log.start()
    try:
        limits = {"requests_per_second": UNLIMITED, "max_failures": UNLIMITED, "token_seconds": 3600}
        with run_service(contract, predictor, folder, publish, log, **limits) as service:
            service.add_client("boss", *SCOPES)
            yield service
    finally:
        log.stop()
