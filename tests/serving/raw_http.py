"""Requests as bytes over a socket, whatever they are, and the answers that come back."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# What would tell how the service is made: a trace, a path of its machine, a library.
INTERNAL = re.compile(
    r"traceback|file \"|\.py\b|site-packages|/tmp/|/usr/|/home/|bento|uvicorn|starlette|fastapi|pydantic|sqlalchemy"
    r"|psycopg|sqlite|postgres|lightgbm|numpy|python",
    re.IGNORECASE,
)


@dataclass
class Answer:
    """A status, headers by lower-case name, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(url: str, *pieces: bytes, pause: float = 0.0, half_closed: bool = False) -> list[Answer]:
    """Sends the pieces, one after each pause, until the service answers or they are all sent; then reads to the end."""
    with opened(url) as connection:
        for piece in pieces:
            if pause and _is_answered(connection, pause):
                break
            connection.sendall(piece)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        return list(answers(b"".join(iter(lambda: connection.recv(65_536), b""))))


def opened(url: str) -> socket.socket:
    """A connection that gives up after half a minute."""
    where = urlsplit(url)
    return socket.create_connection((where.hostname, where.port), timeout=30)


def request(path: str, body: bytes = b"", *headers: bytes, method: str = "POST", close: bool = True) -> bytes:
    """A well-formed request with its length, unless one of the headers tells another."""
    own = [f"{method} {path} HTTP/1.1".encode(), b"Host: x", b"Content-Type: application/json"]
    own += [b"Connection: close"] if close else []
    if not any(header.lower().startswith((b"content-length", b"transfer-encoding")) for header in headers):
        own += [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*own, *headers, b"", body])


def answers(received: bytes) -> Iterator[Answer]:
    """Each answer in what was received; all of homei's tell their length."""
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        size = int(headers["content-length"])
        assert len(received) >= size, "an answer was cut short"
        yield Answer(int(line.split()[1]), headers, received[:size])
        received = received[size:]


def refused(answer: Answer, *statuses: int) -> list[str]:
    """The fields that an answer names, which is a clean refusal of one of the statuses."""
    assert answer.status in statuses, answer
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (told["status"], told["request_id"]) == (answer.status, answer.headers["x-request-id"])
    assert told["request_id"] and told["errors"]
    assert not INTERNAL.search(f"{answer.headers}{answer.body.decode()}"), answer
    return [problem["field"] for problem in told["errors"]]


def _is_answered(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    began = time.monotonic()
    try:
        return connection.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False
    finally:
        connection.settimeout(30)
        assert time.monotonic() - began < 30


def each(line: bytes) -> Sequence[bytes]:
    """The bytes of a line, one by one."""
    return [line[number : number + 1] for number in range(len(line))]
