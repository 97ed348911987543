"""What a valuation costs at least, beside what it costs over HTTP: the model and JSON, for one home and ten thousand.

`benchmarks/serve.py` tells it with its own figures.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homei.serving.responses import ok

from homei.serving.contract import read
from homei.serving.predictor import Predictor
from homei.serving.property_model import batch_model, property_model, rows_of
from homei.serving.request_bodies import parse_json

BATCH = "/api/v1/predict/batch"
ROWS = 10_000
LEAST_RATE = 50_000  # valuations a second


def batches(url: str, bento: Path, rounds: int) -> list[float]:
    """Seconds that each of `rounds` batches of ROWS took over HTTP, the first of them apart: it warms up."""
    body, seconds = _body(bento), []
    for _ in range(rounds + 1):
        asked = urllib.request.Request(url + BATCH, body, {"content-type": "application/json"})
        began = time.perf_counter()
        with urllib.request.urlopen(asked, timeout=120) as answer:
            answer.read()
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def told(bento: Path, batches: list[float]) -> str:
    """The parts of one valuation and of a batch, measured in this process, and the verdict on batches."""
    contract = read(bento / "src")
    predictor, row_model = Predictor.load(bento / "src", contract), property_model(contract)
    model = batch_model(row_model, ROWS)

    def rows(body: bytes) -> list[dict[str, Any]]:
        return rows_of(model.model_validate(parse_json(body)).properties, contract)

    whole = _body(bento)
    one = json.dumps({"properties": json.loads(whole)["properties"][:1]}).encode()
    single = _parts(predictor, rows(one), lambda: rows(one), 300)
    batch = _parts(predictor, rows(whole), lambda: rows(whole), 3, whole)
    seconds = statistics.median(batches)
    rate = ROWS / seconds
    lines = [
        f"{'the floor of':26}{'model':>12}{'valuation':>12}{'JSON in':>12}{'checks':>12}{'JSON out':>12}",
        f"{'one home, µs':26}" + "".join(f"{1e6 * part:12,.1f}" for part in single),
        f"{f'{ROWS:,} homes, ms':26}" + "".join(f"{1e3 * part:12,.1f}" for part in batch),
        f"a batch of {ROWS:,} in {seconds * 1000:,.0f} ms, {rate:,.0f} valuations/s: "
        f"{'meets' if rate >= LEAST_RATE else 'MISSES'} ≥ {LEAST_RATE:,}; the model alone, on one of "
        f"{len(os.sched_getaffinity(0))} cores, does {ROWS / batch[0]:,.0f}",
    ]
    return "\n".join(lines) + "\n"


def _parts(
    predictor: Predictor, rows: list[dict[str, Any]], taking_in: Callable[[], Any], times: int, body: bytes = b"{}"
) -> list[float]:
    """Seconds of the model's trees, of all that a valuation takes, of parsing, of parsing with checks, of writing."""
    columns = predictor._columns(rows)
    known = {**columns, **predictor._history.features(columns)}
    answers = predictor.value(rows)
    return [
        _best(lambda: predictor._model.value(known), times),
        _best(lambda: predictor.value(rows), times),
        _best(lambda: parse_json(body), times),
        _best(taking_in, times),
        _best(lambda: ok({"valuations": answers}), times),
    ]


def _best(work: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _body(bento: Path) -> bytes:
    example = read(bento / "src").example
    area = example["square_meters"]
    sizes = (round(area * (0.75 + number / (2 * ROWS)), 3) for number in range(ROWS))
    return json.dumps({"properties": [example | {"square_meters": size} for size in sizes]}).encode()
