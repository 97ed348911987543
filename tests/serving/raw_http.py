"""Sends bytes over a socket, whether or not they are valid HTTP, and parses the responses."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# Text that would reveal internals: stack traces, file paths and names of libraries.
INTERNAL = re.compile(
    r"traceback|file \"|\.py\b|site-packages|/tmp/|/usr/|/home/|bento|uvicorn|starlette|fastapi|pydantic|sqlalchemy"
    r"|psycopg|sqlite|postgres|lightgbm|numpy|python",
    re.IGNORECASE,
)


@dataclass
class Response:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(url: str, *pieces: bytes, pause: float = 0.0, half_closed: bool = False) -> list[Response]:
    """Sends pieces with pauses, until all are sent or a response comes; returns all responses."""
    with opened(url) as connection:
        for piece in pieces:
            if pause and _has_response(connection, pause):
                break
            connection.sendall(piece)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        return list(parse_responses(b"".join(iter(lambda: connection.recv(65_536), b""))))


def opened(url: str) -> socket.socket:
    """A connection with a timeout of 30 seconds."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def request(path: str, body: bytes = b"", *headers: bytes, method: str = "POST", close: bool = True) -> bytes:
    """A well-formed request; its Content-Length is correct unless `headers` have another one."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: localhost", b"Content-Type: application/json"]
    lines += [b"Connection: close"] if close else []
    if not any(header.lower().startswith((b"content-length", b"transfer-encoding")) for header in headers):
        lines += [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", body])


def parse_responses(received: bytes) -> Iterator[Response]:
    """The responses in received bytes; each of them has a Content-Length."""
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        size = int(headers["content-length"])
        assert len(received) >= size, "a response was cut short"
        yield Response(int(line.split()[1]), headers, received[:size])
        received = received[size:]


def refused(response: Response, *statuses: int) -> list[str]:
    """The invalid fields that problem details name; checks their status, type and request id."""
    assert response.status in statuses, response
    problem_details = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem_details["status"], problem_details["request_id"]) == (
        response.status,
        response.headers["x-request-id"],
    )
    assert problem_details["request_id"] and problem_details["errors"]
    assert not INTERNAL.search(f"{response.headers}{response.body.decode()}"), response
    return [problem["field"] for problem in problem_details["errors"]]


def _has_response(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    started = time.monotonic()
    try:
        return connection.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False
    finally:
        connection.settimeout(30)
        assert time.monotonic() - started < 30


def single_bytes(data: bytes) -> Sequence[bytes]:
    """The bytes of `data`, one by one."""
    return [data[number : number + 1] for number in range(len(data))]
