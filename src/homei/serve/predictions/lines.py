"""An answer as a line of the log: what the warehouse's table `predictions` has of it, in JSON."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from homei.assignment import Design

UNFIT = b"\\u0000"  # which PostgreSQL can't hold in a text
REPLACED = "\ufffd".encode()


class Entry(NamedTuple):
    """The answers to one request: `rows` as they were checked, an answer to each, and what is known of the request."""

    at: float  # seconds since 1970
    name: str
    alone: bool
    rows: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]
    milliseconds: float
    request_id: str | None
    client: str | None


def new_name(at: float) -> str:
    """A name that no other answer has: 80 random bits behind the time, so that the newest come last in an index."""
    return f"{int(at * 1000):012x}{os.urandom(10).hex()}"


def entry(
    began: float,
    rows: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    alone: bool,
    request_id: str | None,
    client: str | None,
) -> Entry:
    """An entry of this moment, for a request that began at `began` of time.perf_counter."""
    at = time.time()
    passed = round((time.perf_counter() - began) * 1000, 3)
    return Entry(at, new_name(at), alone, rows, answers, passed, request_id or None, client)


def lines(given: Entry, variant: str, design: Design | None = None) -> Iterator[bytes]:
    """A line for each answer, in order; in a batch each has its number behind the name.

    In an experiment the answer's own variant counts, and the experiment is named where the answer is part of it.
    """
    at = datetime.datetime.fromtimestamp(given.at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    for number, (row, answer) in enumerate(zip(given.rows, given.answers, strict=True)):
        interval = answer["interval"]
        is_part = design is not None and design.unit_of(row, given.client) is not None
        line = to_json(
            {
                "prediction_id": given.name if given.alone else f"{given.name}.{number}",
                "predicted_at": at,
                "request_id": given.request_id,
                "client": given.client,
                "property_id": row["property_id"],
                "inputs": {name: row[name] for name in row if row[name] is not None and name != "property_id"},
                "price": answer["predicted_price"],
                "low": interval["low"],
                "high": interval["high"],
                "level": interval["level"],
                "confidence": answer["confidence"],
                "flags": answer["flags"],
                "variant": answer.get("variant", variant),
                "model_version": answer["model_version"],
                "data_version": answer["data_version"],
                "latency_ms": given.milliseconds,
                "experiment": design.name if design and is_part else None,
            }
        )
        yield _without_nul(line) if UNFIT in line else line


def _without_nul(line: bytes) -> bytes:
    """A backslash of the text itself is written twice, and no half of it begins an escape."""
    return rb"\\".join(part.replace(UNFIT, REPLACED) for part in line.split(rb"\\"))
