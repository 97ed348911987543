"""A service over a small warehouse in SQLite, with a cache of each kind."""

import contextlib

import httpx
import pytest
import redis
import warehouses
from live_server import cache_from_environment, complete_app, live_server
from prometheus_client import CollectorRegistry

from homei.warehouse.config import PublishConfig

WAREHOUSE = PublishConfig(address="HOMEI_CACHED_WAREHOUSE", file="")


class Figures:
    """The Prometheus metrics of a cache."""

    def __init__(self):
        self.registry = CollectorRegistry()

    def counted(self, outcome, route=None):
        found = [s for m in self.registry.collect() for s in m.samples if s.name == "homei_cache_requests_total"]
        return sum(
            s.value for s in found if s.labels["outcome"] == outcome and (not route or s.labels["route"] == route)
        )

    @property
    def is_up(self):
        return bool(self.registry.get_sample_value("homei_cache_up"))


@pytest.fixture
def figures():
    return Figures()


@pytest.fixture(scope="session")
def one_redis(redis_server):
    """A Redis that is shared by all tests that do not stop it."""
    with redis_server() as server:
        yield server


@pytest.fixture
def own(redis_server, monkeypatch):
    """A Redis of this test, which may stop it."""
    with redis_server() as server:
        monkeypatch.setenv("HOMEI_CACHE", server.url)
        yield server


@pytest.fixture(params=["memory", "redis"])
def anywhere(request, monkeypatch):
    """Sets the environment for a cache of each kind."""
    monkeypatch.delenv("HOMEI_CACHE", raising=False)
    if request.param == "redis":
        url = request.getfixturevalue("one_redis").url
        with redis.Redis.from_url(url) as admin:
            admin.flushall()
        monkeypatch.setenv("HOMEI_CACHE", url)
    return request.param


@pytest.fixture
def data(tmp_path, monkeypatch) -> PublishConfig:
    """A published warehouse of this test."""
    monkeypatch.setenv(WAREHOUSE.address, f"sqlite:///{tmp_path / 'homei.db'}")
    warehouses.publish(WAREHOUSE)
    return WAREHOUSE


@pytest.fixture
def service(contract, data, figures):
    """Runs a service with a cache for the length of a block, and returns a client of it."""

    @contextlib.contextmanager
    def running(predictor, log=None, **how):
        cache = cache_from_environment(contract, figures.registry, **how)
        app = complete_app(contract, predictor, data, cache, log)
        with live_server(app) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield client

    return running


@pytest.fixture
def client(service, predictor, anywhere):
    with service(predictor) as opened:
        yield opened
