import socket
import time
from urllib.parse import urlsplit

import httpx
from live_server import complete_app, live_server

PRICE = "/api/v1/predict/price"
JSON = {"content-type": "application/json"}


def connect(server):
    connection = socket.create_connection((urlsplit(server).hostname, urlsplit(server).port), timeout=20)
    connection.sendall(f"POST {PRICE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode())
    return connection


def test_a_body_of_32_megabytes_is_refused_with_the_reason(client):
    response = client.post(PRICE, content=b" " * (32 << 20), headers=JSON)
    assert response.status_code == 413
    assert response.json()["errors"] == [{"field": "body", "message": "is larger than 100000 bytes", "value": None}]


def test_a_body_without_a_declared_length_is_counted_as_it_comes(client):
    response = client.post(PRICE, content=(b" " * 10_000 for _ in range(20)), headers=JSON)
    assert response.status_code == 413


def test_a_body_of_just_the_limit_is_read(client):
    assert client.post(PRICE, content=b" " * 100_000, headers=JSON).status_code == 400
    assert client.post(PRICE, content=b" " * 100_001, headers=JSON).status_code == 413


def test_a_batch_may_be_larger(client):
    batch = "/api/v1/predict/batch"
    assert client.post(batch, content=b" " * 200_000, headers=JSON).status_code == 400
    assert client.post(batch, content=b" " * 200_001, headers=JSON).status_code == 413


def test_a_client_that_sends_expect_is_refused_before_its_body(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_stalled_body_times_out(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 10\r\n\r\n{")
        started = time.monotonic()
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started > 1


def test_bodies_in_flight_share_a_limit_and_their_bytes_are_free_afterwards(contract, predictor):
    app = complete_app(contract, predictor, max_bytes_in_flight=150_000)
    with live_server(app) as url, httpx.Client(base_url=url) as client:
        with connect(url) as connection:
            connection.sendall(b"Content-Length: 100000\r\n\r\n" + b" " * 90_000)
            time.sleep(0.3)
            refused = client.post(PRICE, content=b" " * 80_000, headers=JSON)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert client.post(PRICE, content=b" " * 50_000, headers=JSON).status_code == 400
        time.sleep(0.3)
        for _ in range(5):
            assert client.post(PRICE, content=b" " * 60_000, headers=JSON).status_code == 400


def test_the_service_works_after_a_client_disconnects(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 10\r\n\r\n{")
    assert httpx.get(f"{server}/openapi.json").status_code == 200
