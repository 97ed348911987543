"""A service whose warehouse is away, empty, old, slow or restarted: clean answers, and back by itself."""

import asyncio
import contextlib
import sqlite3
import time

import httpx
import pytest
import warehouses
from live_server import complete_app, live_server

from homei.serving import warehouse_client
from homei.warehouse.config import PublishConfig
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import REVISION

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


def test_without_a_warehouse_homes_are_valued_and_routes_say_what_is_to_be_done(client, tmp_path):
    for route in ROUTES:
        assert "`homei publish`" in away(client.get(route))
    sale = {"property_id": "p001", "sold_on": "2025-11-03", "price": 1}
    away(client.post("/api/v1/feedback", json=sale, headers={"idempotency-key": "k"}))
    assert client.post(PRICE, json=HOME).status_code == 200
    assert not (tmp_path / "homei.db").exists()


def test_what_is_published_while_the_service_runs_is_found(client, tmp_path):
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


def test_a_warehouse_of_another_revision_is_not_read(client, tmp_path):
    warehouses.publish(SETTINGS)
    with contextlib.closing(sqlite3.connect(tmp_path / "homei.db", isolation_level=None)) as connection:
        connection.execute("update alembic_version set version_num = '0003'")
        away(client.get(SEARCH))
        connection.execute("update alembic_version set version_num = ?", [REVISION])
    assert client.get(SEARCH).status_code == 200


def test_a_file_that_is_no_database_is_away_too(client, tmp_path):
    (tmp_path / "homei.db").write_bytes(b"nonsense" * 1000)
    away(client.get(SEARCH))


def test_an_address_that_is_none_is_not_shown(client, monkeypatch):
    monkeypatch.setenv(SETTINGS.address, "mysql://me:secret@host/name")
    assert "secret" not in away(client.get(SEARCH))


def test_a_warehouse_is_gone_once_it_was_there_and_is_not_any_more(tmp_path, monkeypatch):
    file = tmp_path / "homei.db"
    monkeypatch.setenv(SETTINGS.address, f"sqlite:///{file}")

    async def found():
        return [await asked.is_gone() for _ in range(2)]

    asked = warehouse_client.WarehouseClient(Warehouse(SETTINGS), probe_seconds=0)
    assert asyncio.run(found()) == [False, False], "where nobody published, nothing is gone"
    warehouses.publish(SETTINGS)
    assert asyncio.run(found()) == [False, False]
    kept = file.rename(tmp_path / "elsewhere")
    assert asyncio.run(found()) == [True, True]
    kept.rename(file)
    assert asyncio.run(found()) == [False, False]
    file.write_bytes(b"nonsense" * 1000)
    assert asyncio.run(found()) == [True, True]


def test_what_a_probe_found_is_believed_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setenv(SETTINGS.address, f"sqlite:///{tmp_path / 'homei.db'}")
    warehouses.publish(SETTINGS)
    asked = warehouse_client.WarehouseClient(Warehouse(SETTINGS), probe_seconds=60)
    assert not asyncio.run(asked.is_gone())
    (tmp_path / "homei.db").unlink()
    assert not asyncio.run(asked.is_gone())


def test_a_server_that_can_not_be_reached_is_gone_whether_or_not_it_ever_was_there(monkeypatch):
    monkeypatch.setenv(SETTINGS.address, "postgresql://nobody@127.0.0.1:1/none")
    assert asyncio.run(warehouse_client.WarehouseClient(Warehouse(SETTINGS)).is_gone())


SLOW = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgresql": "select pg_sleep(60)",
}


def test_a_statement_without_end_is_ended_and_the_next_one_answered(warehouse):
    reader = Warehouse(warehouse, connections=1, seconds=0.3)
    began = time.monotonic()
    with pytest.raises(warehouse_client.SlowError):
        reader.read(lambda connection, _: connection.exec_driver_sql(SLOW[connection.dialect.name]).all())
    assert time.monotonic() - began < 30  # PostgreSQL's would take 60
    assert reader.read(lambda _, published: published["digest"]) == warehouses.TOLD["digest"]
    reader.close()


def test_a_server_that_is_restarted_is_found_again(contract, predictor, monkeypatch, postgresql):
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
