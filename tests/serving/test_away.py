"""A warehouse that is missing, empty, old, slow or restarted: clean responses, and recovery."""

import asyncio
import contextlib
import sqlite3
import time

import httpx
import pytest
import warehouses
from live_server import complete_app, live_server

from homei.serving import warehouse_client
from homei.serving.app import create_app
from homei.warehouse.config import PublishConfig
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import MIN_REVISION, REVISION

PRICE, SEARCH = "/api/v1/predict/price", "/api/v1/properties/search"
ROUTES = [SEARCH, "/api/v1/properties/p001", "/api/v1/analytics/market-trends"]
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
SETTINGS = PublishConfig(address="HOMEI_AWAY", file="")


@pytest.fixture
def client(contract, predictor, tmp_path, monkeypatch):
    monkeypatch.setenv(SETTINGS.address, f"sqlite:///{tmp_path / 'homei.db'}")
    with (
        live_server(complete_app(contract, predictor, SETTINGS)) as url,
        httpx.Client(base_url=url, timeout=30) as opened,
    ):
        yield opened


def away(response):
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    assert "sqlite" not in response.text and "homei.db" not in response.text
    return response.json()["detail"]


def test_without_a_warehouse_valuations_work_and_other_routes_name_the_remedy(client, tmp_path):
    for route in ROUTES:
        assert "`homei publish`" in away(client.get(route))
    sale = {"property_id": "p001", "sold_on": "2025-11-03", "price": 1}
    away(client.post("/api/v1/feedback", json=sale, headers={"idempotency-key": "k"}))
    assert client.post(PRICE, json=HOME).status_code == 200
    assert not (tmp_path / "homei.db").exists()


def test_a_warehouse_that_is_published_later_is_used(client, tmp_path):
    away(client.get(SEARCH))
    (tmp_path / "homei.db").touch()
    away(client.get(SEARCH))
    warehouses.publish(SETTINGS)
    assert client.get(SEARCH).status_code == 200
    for name in ("homei.db", "homei.db-wal", "homei.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    away(client.get(SEARCH))
    warehouses.publish(SETTINGS)
    assert client.get(SEARCH).status_code == 200


@pytest.mark.parametrize(
    ("revision", "is_usable"), [("0001", False), (MIN_REVISION, True), (REVISION, True), ("9999", True)]
)
def test_a_warehouse_is_usable_from_the_minimum_schema_revision_on(client, tmp_path, revision, is_usable):
    warehouses.publish(SETTINGS)
    with contextlib.closing(sqlite3.connect(tmp_path / "homei.db", isolation_level=None)) as connection:
        connection.execute("update alembic_version set version_num = ?", [revision])
    assert client.get(SEARCH).status_code == (200 if is_usable else 503)


def test_a_file_that_is_no_database_counts_as_unavailable(client, tmp_path):
    (tmp_path / "homei.db").write_bytes(b"nonsense" * 1000)
    away(client.get(SEARCH))


def test_an_invalid_address_is_not_shown(client, monkeypatch):
    monkeypatch.setenv(SETTINGS.address, "mysql://me:secret@host/name")
    assert "secret" not in away(client.get(SEARCH))


def readiness(client):
    response = client.get("/readyz")
    return response.status_code, response.json()["capabilities"]


def test_readyz_stays_200_while_properties_can_be_valued_and_names_what_cannot_be_reached(client, tmp_path):
    assert readiness(client) == (200, {"valuations": True, "warehouse": False})
    warehouses.publish(SETTINGS)
    wait_until(lambda: readiness(client) == (200, {"valuations": True, "warehouse": True}))
    path = (tmp_path / "homei.db").rename(tmp_path / "elsewhere")
    wait_until(lambda: readiness(client) == (200, {"valuations": True, "warehouse": False}))
    assert client.post(PRICE, json=HOME).status_code == 200
    path.rename(tmp_path / "homei.db")
    wait_until(lambda: readiness(client) == (200, {"valuations": True, "warehouse": True}))


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.05)


def test_readyz_is_503_before_the_model_is_loaded(contract):
    with live_server(create_app(contract)) as url:
        response = httpx.get(f"{url}/readyz")
    assert (response.status_code, response.json()["ready"]) == (503, False)


def test_the_result_of_a_probe_is_reused_for_some_seconds(tmp_path, monkeypatch):
    monkeypatch.setenv(SETTINGS.address, f"sqlite:///{tmp_path / 'homei.db'}")
    warehouses.publish(SETTINGS)
    warehouse = warehouse_client.WarehouseClient(Warehouse(SETTINGS), probe_seconds=60)
    assert asyncio.run(warehouse.is_available())
    (tmp_path / "homei.db").unlink()
    assert asyncio.run(warehouse.is_available())


SLOW = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgresql": "select pg_sleep(60)",
}


def test_an_endless_statement_is_cancelled_and_the_next_one_answered(warehouse):
    reader = Warehouse(warehouse, connections=1, seconds=0.3)
    began = time.monotonic()
    with pytest.raises(warehouse_client.SlowError):
        reader.read(lambda connection, _: connection.exec_driver_sql(SLOW[connection.dialect.name]).all())
    assert time.monotonic() - began < 30  # PostgreSQL's would take 60
    assert reader.read(lambda _, published: published["digest"]) == warehouses.TOLD["digest"]
    reader.close()


def test_a_restarted_server_is_used_again(contract, predictor, monkeypatch, postgresql):
    with postgresql() as server:
        monkeypatch.setenv(SETTINGS.address, server.url)
        warehouses.publish(SETTINGS)
        with (
            live_server(complete_app(contract, predictor, SETTINGS)) as url,
            httpx.Client(base_url=url, timeout=30) as client,
        ):
            assert client.get(SEARCH).status_code == 200
            server.stop()
            away(client.get(SEARCH))
            assert client.post(PRICE, json=HOME).status_code == 200
            server.start()
            assert client.get(SEARCH).status_code == 200
            server.stop()
            server.start()
            assert client.get(SEARCH).status_code == 200, "a connection of before the restart was used"
