import socket
import time
from urllib.parse import urlsplit

import httpx

PRICE = "/api/v1/predict/price"
JSON = {"content-type": "application/json"}


def connect(server):
    connection = socket.create_connection((urlsplit(server).hostname, urlsplit(server).port), timeout=20)
    connection.sendall(f"POST {PRICE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode())
    return connection


def test_a_body_of_32_megabytes_is_refused_and_the_client_hears_why(client):
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


def test_a_client_that_asks_first_need_not_send(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_stalls_is_given_up_in_time(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 10\r\n\r\n{")
        started = time.monotonic()
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started > 1


def test_a_client_that_goes_away_leaves_the_service_well(server):
    with connect(server) as connection:
        connection.sendall(b"Content-Length: 10\r\n\r\n{")
    assert httpx.get(f"{server}/openapi.json").status_code == 200
