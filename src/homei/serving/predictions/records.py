"""Valuations as rows of the warehouse's table `predictions`."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from homei.registry.variant_assignment import ExperimentDesign

NUL = "\x00"  # PostgreSQL stores no text with it
REPLACEMENT = "\ufffd"


class ValuedRequest(NamedTuple):
    """The valuations that one request got: checked input rows, and a response for each of them."""

    received_at: float  # seconds since 1970
    prediction_id: str
    is_single: bool  # not a batch
    rows: Sequence[Mapping[str, Any]]
    valuations: Sequence[Mapping[str, Any]]
    latency_ms: float
    request_id: str | None
    client: str | None


def valued_request(
    started: float,
    rows: Sequence[Mapping[str, Any]],
    valuations: Sequence[Mapping[str, Any]],
    is_single: bool,
    request_id: str | None,
    client: str | None,
) -> ValuedRequest:
    """A request that is answered now and started at `started` of time.perf_counter."""
    now = time.time()
    latency_ms = round((time.perf_counter() - started) * 1000, 3)
    return ValuedRequest(now, _new_id(now), is_single, rows, valuations, latency_ms, request_id or None, client)


def json_rows(request: ValuedRequest, variant: str, design: ExperimentDesign | None = None) -> Iterator[bytes]:
    """One JSON object for each valuation; in a batch, the prediction_id ends with the row's number.

    In an experiment, the valuation's own variant replaces `variant`, and rows that take part name the experiment.
    """
    predicted_at = datetime.datetime.fromtimestamp(request.received_at, datetime.UTC).isoformat()
    for number, (row, valuation) in enumerate(zip(request.rows, request.valuations, strict=True)):
        interval = valuation["interval"]
        takes_part = design is not None and design.unit_of(row, request.client) is not None
        yield to_json(
            {
                "prediction_id": request.prediction_id if request.is_single else f"{request.prediction_id}.{number}",
                "predicted_at": predicted_at,
                "request_id": request.request_id,
                "client": request.client,
                "property_id": _storable(row["property_id"]),
                "inputs": _inputs(row),
                "price": valuation["predicted_price"],
                "low": interval["low"],
                "high": interval["high"],
                "level": interval["level"],
                "confidence": valuation["confidence"],
                "flags": valuation["flags"],
                "variant": valuation.get("variant", variant),
                "model_version": valuation["model_version"],
                "data_version": valuation["data_version"],
                "latency_ms": request.latency_ms,
                "experiment": design.name if design and takes_part else None,
            }
        )


def _new_id(now: float) -> str:
    """80 random bits after the time, so that the newest come last in an index."""
    return f"{int(now * 1000):012x}{os.urandom(10).hex()}"


def _inputs(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _storable(value) for name, value in row.items() if value is not None and name != "property_id"}


def _storable(value: Any) -> Any:
    return value.replace(NUL, REPLACEMENT) if isinstance(value, str) else value
