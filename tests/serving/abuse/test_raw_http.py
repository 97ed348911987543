"""Invalid and slow requests to the service, run by BentoML, get problem details within seconds.

uvicorn answers requests that are not HTTP, and the proxy limits headers: see test_nginx.
"""

import gzip
import json
import re
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from raw_http import INTERNAL, exchange, opened, refused, request, single_bytes

PRICE, BATCH, FEEDBACK = "/api/v1/predict/price", "/api/v1/predict/batch", "/api/v1/feedback"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
SALE = {"prediction_id": "a1", "sold_on": "2025-11-03", "price": 1.5}
BODIES = {PRICE: HOME, BATCH: {"properties": [HOME]}, FEEDBACK: SALE}
NUMBERS = {PRICE: b"70.5", BATCH: b"70.5", FEEDBACK: b"1.5"}
KEY = b"Idempotency-Key: k"


@pytest.fixture(autouse=True)
def service_still_works(bento_url):
    """Checks after each test that the service still values a property."""
    yield
    assert httpx.post(bento_url + PRICE, json=HOME, timeout=10).status_code == 200


def post(url, path, body, *headers):
    (response,) = exchange(url, request(path, body, KEY, *headers))
    return response


INVALID_BODIES = {
    "empty": b"",
    "whitespace": b" \r\n\t ",
    "truncated": b'{"square_meters": 70.5, "property',
    "not JSON": b"square_meters=70.5",
    "single quotes": b"{'square_meters': 70.5}",
    "comment": b'/* x */ {"square_meters": 70.5}',
    "trailing comma": b'{"square_meters": 70.5,}',
    "trailing text": json.dumps(HOME).encode() + b"{}",
    "trailing NUL": json.dumps(HOME).encode() + b"\0",
    "unclosed lists": b"[" * 100_000,
    "nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested in a field": b'{"location": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lone surrogate": b'{"location": "\\ud800"}',
    "reversed surrogates": b'{"location": "\\udc00\\ud800"}',
    "surrogate in UTF-8": b'{"location": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"location": "\xc0\xaf"}',
    "truncated UTF-8": b'{"location": "\xf0\x9f\x8f"}',
    "UTF-16": json.dumps(HOME).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(HOME).encode(),
    "raw NUL in a string": b'{"location": "a\0b"}',
    "raw line break in a string": b'{"location": "a\nb"}',
    "undeclared gzip": gzip.compress(json.dumps(HOME).encode()),
    "random bytes": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", INVALID_BODIES.values(), ids=INVALID_BODIES)
def test_a_body_that_is_not_json_is_refused(bento_url, path, body):
    assert refused(post(bento_url, path, body), 400) == ["body"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e308", "1e999", "-1e999", "1" + "0" * 400, "-" + "9" * 4000, "true", '"1"'],
)
def test_a_number_outside_the_range_of_its_field_is_refused(bento_url, path, number):
    body = json.dumps(BODIES[path]).encode().replace(NUMBERS[path], number.encode())
    (field,) = refused(post(bento_url, path, body), 422)
    assert field.endswith(("square_meters", "price"))


@pytest.mark.parametrize(
    "text",
    ["شقة ‏ים‮", "a\u0000b", "\U0001f3e0" * 100, "e\u0301" * 90, "\ufeff\u200b x", "\ufffe"],
    ids=["right to left", "NUL", "emoji", "combining marks", "invisible", "noncharacter"],
)
def test_text_in_any_script_is_accepted(bento_url, text):
    home = HOME | {"property_id": text}
    response = post(bento_url, PRICE, json.dumps(home).encode())
    assert response.body == post(bento_url, PRICE, json.dumps(HOME).encode()).body
    assert response.body == post(bento_url, PRICE, json.dumps(home, ensure_ascii=False).encode()).body


def test_the_last_of_two_equal_json_keys_counts(bento_url):
    plain = json.dumps(HOME)
    twice = plain.replace("{", '{"square_meters": 1e999, "location": ["x"], ', 1)
    assert post(bento_url, PRICE, twice.encode()).body == post(bento_url, PRICE, plain.encode()).body


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: text/plain",
        b"Content-Type: application/xml",
        b"Content-Type: multipart/form-data; boundary=x",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Type: application/json; charset=utf-7",
        b"Content-Type: ",
        b"Content-Type: \xff\xfe",
        b"Content-Encoding: gzip",
        b"Content-Encoding: br, gzip",
    ],
)
def test_a_body_of_another_media_type_or_encoding_is_refused(bento_url, path, header):
    body = (
        gzip.compress(json.dumps(BODIES[path]).encode()) if b"Encoding" in header else json.dumps(BODIES[path]).encode()
    )
    sent = request(path, body, KEY, header)
    if header.startswith(b"Content-Type"):
        sent = sent.replace(b"Content-Type: application/json\r\n", b"", 1)
    (response,) = exchange(bento_url, sent)
    assert refused(response, 415) == [header.partition(b":")[0].decode().lower()]


def test_a_zip_bomb_is_not_decompressed(bento_url):
    bomb = gzip.compress(b"[" * (64 << 20))
    refused(post(bento_url, PRICE, bomb, b"Content-Encoding: gzip"), 415)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("/" + "a" * 30_000, method="GET"), 404),
        (request(f"{PRICE}?include=" + "a" * 30_000, json.dumps(HOME).encode()), 422),
        (request("/api/v1/properties/search?" + "a=1&" * 7000, method="GET"), 422),
        (request(PRICE, b"{}", *[b"X-%d: x" % number for number in range(2000)]), 422),
        (request(PRICE, b"{}", b"X-Request-Id: " + b"a" * 20_000), 422),
        (request(PRICE, b"{}", b"X-Request-Id: <script>", b"X-Request-Id: b"), 422),
        (request("*", method="OPTIONS"), 404),
        (request("/../../etc/passwd", method="GET"), 404),
        (request("/docs-assets/..%2f..%2f..%2fetc%2fpasswd", method="GET"), 404),
        (request("/%00%ff%0d%0aX:%20y", method="GET"), 404),
        (request("/api/v1/properties/a%0ab", method="GET"), 404),
        (request(PRICE, method="TRACE"), 405),
        (request("/metrics", b"x"), 405),
        (request("/readyz", b"x"), 405),
        (request("http://elsewhere.example/api", method="GET"), 404),
        (request("/docs", b"x", method="DELETE"), 405),
    ],
)  # fmt: skip
def test_unusual_and_very_large_requests_are_refused(bento_url, sent, status):
    (response,) = exchange(bento_url, sent)
    refused(response, status)


def test_slow_bodies_time_out_and_delay_no_other_request(bento_url):
    body = json.dumps(HOME).encode()
    slow = {
        "body": [request(PRICE, b"", b"Content-Length: 500"), *single_bytes(body)],
        "chunks": [request(PRICE, b"", b"Transfer-Encoding: chunked"), *[b"1\r\n \r\n"] * 30],
        "feedback": [request(FEEDBACK, b"", KEY, b"Content-Length: 500"), *single_bytes(json.dumps(SALE).encode())],
    }
    started = time.monotonic()
    with ThreadPoolExecutor(len(slow)) as threads:
        responses = {name: threads.submit(exchange, bento_url, *pieces, pause=1) for name, pieces in slow.items()}
        while time.monotonic() - started < 3:
            assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
            time.sleep(0.2)
        for name, future in responses.items():
            (response,) = future.result()
            assert refused(response, 408) == ["body"], name
    assert time.monotonic() - started < 25  # sending the shortest of them completely takes 30


def test_aborted_requests_do_not_stay_in_flight(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    body = len(json.dumps(HOME))
    # More of them than serve.max_concurrency, most with a part of their body.
    for number, size in enumerate([*range(1, len(whole), 7), *range(len(whole) - body, len(whole))] * 2):
        with opened(bento_url) as connection:
            connection.sendall(whole[:size])
            if number % 2:
                # Closes with a reset (RST).
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end = time.monotonic() + 3
    while (running := in_progress(bento_url)) and time.monotonic() < end:
        time.sleep(0.1)
    assert running == 0


def in_progress(url):
    """Requests in flight, without the one for /metrics itself."""
    lines = httpx.get(f"{url}/metrics").text.split("\n")
    [running] = [float(line.split()[-1]) for line in lines if line.startswith("homei_requests_in_flight ")]
    return running - 1


def test_unfinished_bodies_do_not_count_against_the_concurrency_limit(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    slow = [opened(bento_url) for _ in range(100)]  # serve.max_concurrency is 64
    try:
        for connection in slow:
            connection.sendall(whole[:-1])
        while in_progress(bento_url) < len(slow):
            time.sleep(0.05)
        assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_an_incomplete_body_on_a_half_closed_connection_gets_no_valuation(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    assert all(response.status >= 400 for response in exchange(bento_url, whole[:-10], half_closed=True))


def test_pipelined_requests_are_answered_in_order_with_their_ids(bento_url):
    bodies = [json.dumps(HOME | {"square_meters": 30 + number}).encode() for number in range(20)]
    bodies[7], bodies[13] = b"{", b"[]"
    sent = [
        request(PRICE, body, b"X-Request-Id: r%d" % number, close=number == len(bodies) - 1)
        for number, body in enumerate(bodies)
    ]
    responses = exchange(bento_url, b"".join(sent))
    assert [response.headers["x-request-id"] for response in responses] == [f"r{number}" for number in range(20)]
    assert [response.status for response in responses] == [200] * 7 + [400] + [200] * 5 + [422] + [200] * 6
    prices = [response.json()["predicted_price"] for response in responses if response.status == 200]
    assert prices == [
        httpx.post(bento_url + PRICE, content=body, headers={"content-type": "application/json"}).json()[
            "predicted_price"
        ]
        for body in bodies
        if len(body) > 2
    ]


def test_the_number_of_metrics_labels_does_not_grow_with_the_paths_requested(bento_url):
    """Each label takes kilobytes for as long as the service runs."""
    with httpx.Client(base_url=bento_url) as client:
        for number in range(100):
            client.get(f"/api/v1/properties/home-{number}")
            client.get(f"/api/v1/nothing-{number}")
            client.get(f"/docs-assets/nothing-{number}")
        metrics = client.get("/metrics").text
    routes = set(re.findall(r'\broute="([^"]*)"', metrics))
    assert {PRICE, "/api/v1/properties/{property_id}", "unknown", "/docs-assets/", "/readyz"} <= routes
    assert not [name for name in routes if "home-" in name or "nothing-" in name] and len(routes) < 20


def test_hundreds_of_idle_connections_block_no_request(bento_url):
    idle = [opened(bento_url) for _ in range(300)]
    try:
        assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
    finally:
        for connection in idle:
            connection.close()


def test_responses_do_not_reveal_libraries_or_paths(bento_url):
    for path in (PRICE, BATCH):
        response = httpx.post(bento_url + path, json=BODIES[path])
        assert response.status_code == 200
        assert not INTERNAL.search(f"{dict(response.headers)}{response.text}"), response.headers
