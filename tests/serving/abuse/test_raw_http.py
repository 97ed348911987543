"""Invalid and slow requests to the service as BentoML runs it get its own problem details, and in time.

uvicorn itself answers what is no HTTP; limits of headers are the proxy's: see test_nginx.
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
from raw_http import INTERNAL, each, exchange, opened, refused, request

PRICE, BATCH, FEEDBACK = "/api/v1/predict/price", "/api/v1/predict/batch", "/api/v1/feedback"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
SALE = {"prediction_id": "a1", "sold_on": "2025-11-03", "price": 1.5}
BODIES = {PRICE: HOME, BATCH: {"properties": [HOME]}, FEEDBACK: SALE}
NUMBERS = {PRICE: b"70.5", BATCH: b"70.5", FEEDBACK: b"1.5"}
KEY = b"Idempotency-Key: k"


@pytest.fixture(autouse=True)
def well(bento_url):
    """Whatever a test sends, the service is well afterwards."""
    yield
    assert httpx.post(bento_url + PRICE, json=HOME, timeout=10).status_code == 200


def posted(url, path, body, *headers):
    (answer,) = exchange(url, request(path, body, KEY, *headers))
    return answer


BROKEN = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "cut short": b'{"square_meters": 70.5, "property',
    "no JSON": b"square_meters=70.5",
    "single quotes": b"{'square_meters': 70.5}",
    "comment": b'/* x */ {"square_meters": 70.5}',
    "trailing comma": b'{"square_meters": 70.5,}',
    "more after it": json.dumps(HOME).encode() + b"{}",
    "NUL after it": json.dumps(HOME).encode() + b"\0",
    "lists without end": b"[" * 100_000,
    "nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested in a field": b'{"location": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lone surrogate": b'{"location": "\\ud800"}',
    "reversed surrogates": b'{"location": "\\udc00\\ud800"}',
    "surrogate in UTF-8": b'{"location": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"location": "\xc0\xaf"}',
    "cut UTF-8": b'{"location": "\xf0\x9f\x8f"}',
    "UTF-16": json.dumps(HOME).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(HOME).encode(),
    "raw NUL in a string": b'{"location": "a\0b"}',
    "raw line break in a string": b'{"location": "a\nb"}',
    "gzip that isn't declared": gzip.compress(json.dumps(HOME).encode()),
    "random bytes": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_is_no_json_is_refused(bento_url, path, body):
    assert refused(posted(bento_url, path, body), 400) == ["body"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e308", "1e999", "-1e999", "1" + "0" * 400, "-" + "9" * 4000, "true", '"1"'],
)
def test_a_number_that_no_home_has_is_refused(bento_url, path, number):
    body = json.dumps(BODIES[path]).encode().replace(NUMBERS[path], number.encode())
    (field,) = refused(posted(bento_url, path, body), 422)
    assert field.endswith(("square_meters", "price"))


@pytest.mark.parametrize(
    "text",
    ["شقة ‏ים‮", "a\u0000b", "\U0001f3e0" * 100, "e\u0301" * 90, "\ufeff\u200b x", "\ufffe"],
    ids=["right to left", "NUL", "houses", "marks", "invisible", "no character"],
)
def test_text_of_any_alphabet_is_text_like_any_other(bento_url, text):
    home = HOME | {"property_id": text}
    answer = posted(bento_url, PRICE, json.dumps(home).encode())
    assert answer.body == posted(bento_url, PRICE, json.dumps(HOME).encode()).body
    assert answer.body == posted(bento_url, PRICE, json.dumps(home, ensure_ascii=False).encode()).body


def test_of_two_equal_keys_the_last_one_counts(bento_url):
    plain = json.dumps(HOME)
    twice = plain.replace("{", '{"square_meters": 1e999, "location": ["x"], ', 1)
    assert posted(bento_url, PRICE, twice.encode()).body == posted(bento_url, PRICE, plain.encode()).body


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "kind",
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
def test_another_kind_of_body_is_refused(bento_url, path, kind):
    body = (
        gzip.compress(json.dumps(BODIES[path]).encode()) if b"Encoding" in kind else json.dumps(BODIES[path]).encode()
    )
    sent = request(path, body, KEY, kind)
    if kind.startswith(b"Content-Type"):
        sent = sent.replace(b"Content-Type: application/json\r\n", b"", 1)
    (answer,) = exchange(bento_url, sent)
    assert refused(answer, 415) == [kind.partition(b":")[0].decode().lower()]


def test_a_zip_bomb_is_not_opened(bento_url):
    bomb = gzip.compress(b"[" * (64 << 20))
    refused(posted(bento_url, PRICE, bomb, b"Content-Encoding: gzip"), 415)


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
        (request("/readyz", b"x"), 404),
        (request("http://elsewhere.example/api", method="GET"), 404),
        (request("/docs", b"x", method="DELETE"), 405),
    ],
)  # fmt: skip
def test_odd_and_huge_requests_are_refused(bento_url, sent, status):
    (answer,) = exchange(bento_url, sent)
    refused(answer, status)


def test_those_who_are_slow_are_told_so_and_nobody_waits_for_them(bento_url):
    body = json.dumps(HOME).encode()
    slow = {
        "body": [request(PRICE, b"", b"Content-Length: 500"), *each(body)],
        "chunks": [request(PRICE, b"", b"Transfer-Encoding: chunked"), *[b"1\r\n \r\n"] * 30],
        "feedback": [request(FEEDBACK, b"", KEY, b"Content-Length: 500"), *each(json.dumps(SALE).encode())],
    }
    began = time.monotonic()
    with ThreadPoolExecutor(len(slow)) as threads:
        told = {name: threads.submit(exchange, bento_url, *pieces, pause=1) for name, pieces in slow.items()}
        while time.monotonic() - began < 3:
            assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
            time.sleep(0.2)
        for name, future in told.items():
            (answer,) = future.result()
            assert refused(answer, 408) == ["body"], name
    assert time.monotonic() - began < 25  # to send the shortest of them whole takes 30


def test_clients_that_break_off_leave_nothing_behind(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    body = len(json.dumps(HOME))
    # More of them than may be answered at once, most with a part of their body.
    for number, size in enumerate([*range(1, len(whole), 7), *range(len(whole) - body, len(whole))] * 2):
        with opened(bento_url) as connection:
            connection.sendall(whole[:size])
            if number % 2:
                # With a reset instead of an orderly end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end = time.monotonic() + 3
    while (running := in_progress(bento_url)) and time.monotonic() < end:
        time.sleep(0.1)
    assert running == 0


def in_progress(url):
    """Requests beside the one that asks."""
    lines = httpx.get(f"{url}/metrics").text.split("\n")
    [running] = [float(line.split()[-1]) for line in lines if line.startswith("homei_requests_in_flight ")]
    return running - 1


def test_a_crowd_that_sends_slowly_takes_nobodys_place(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    crowd = [opened(bento_url) for _ in range(100)]  # of whom 64 could be answered at a time
    try:
        for connection in crowd:
            connection.sendall(whole[:-1])
        while in_progress(bento_url) < len(crowd):
            time.sleep(0.05)
        assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
    finally:
        for connection in crowd:
            connection.close()


def test_half_a_request_and_a_closed_side_get_no_valuation(bento_url):
    whole = request(PRICE, json.dumps(HOME).encode())
    assert all(answer.status >= 400 for answer in exchange(bento_url, whole[:-10], half_closed=True))


def test_pipelined_requests_are_answered_in_their_order_each_by_its_name(bento_url):
    bodies = [json.dumps(HOME | {"square_meters": 30 + number}).encode() for number in range(20)]
    bodies[7], bodies[13] = b"{", b"[]"
    sent = [
        request(PRICE, body, b"X-Request-Id: r%d" % number, close=number == len(bodies) - 1)
        for number, body in enumerate(bodies)
    ]
    told = exchange(bento_url, b"".join(sent))
    assert [answer.headers["x-request-id"] for answer in told] == [f"r{number}" for number in range(20)]
    assert [answer.status for answer in told] == [200] * 7 + [400] + [200] * 5 + [422] + [200] * 6
    prices = [answer.json()["predicted_price"] for answer in told if answer.status == 200]
    assert prices == [
        httpx.post(bento_url + PRICE, content=body, headers={"content-type": "application/json"}).json()[
            "predicted_price"
        ]
        for body in bodies
        if len(body) > 2
    ]


def test_figures_are_kept_under_few_names_whatever_is_asked_for(bento_url):
    """Each name takes kilobytes for as long as the service runs."""
    with httpx.Client(base_url=bento_url) as client:
        for number in range(100):
            client.get(f"/api/v1/properties/home-{number}")
            client.get(f"/api/v1/nothing-{number}")
            client.get(f"/docs-assets/nothing-{number}")
        told = client.get("/metrics").text
    names = set(re.findall(r'\broute="([^"]*)"', told))
    assert {PRICE, "/api/v1/properties/{property_id}", "unknown", "/docs-assets/", "/readyz"} <= names
    assert not [name for name in names if "home-" in name or "nothing-" in name] and len(names) < 20


def test_hundreds_of_idle_connections_keep_nobody_out(bento_url):
    idle = [opened(bento_url) for _ in range(300)]
    try:
        assert httpx.post(bento_url + PRICE, json=HOME).status_code == 200
    finally:
        for connection in idle:
            connection.close()


def test_no_answer_tells_what_it_is_made_with(bento_url):
    for path in (PRICE, BATCH):
        answer = httpx.post(bento_url + path, json=BODIES[path])
        assert answer.status_code == 200
        assert not INTERNAL.search(f"{dict(answer.headers)}{answer.text}"), answer.headers
