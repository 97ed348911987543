"""What a valuation costs at least: the model and JSON, for one property and for ten thousand.

`benchmarks/serve.py` prints it below its own figures.
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

from pydantic_core import to_json

from homei.serving.contract import read
from homei.serving.predictor import Predictor
from homei.serving.property_model import batch_model, property_model, rows_of
from homei.serving.request_bodies import parse_json

BATCH = "/api/v1/predict/batch"
ROWS = 10_000
MIN_RATE = 50_000  # valuations a second


def batches(url: str, bento: Path, rounds: int) -> list[float]:
    """Seconds that each of `rounds` batches of ROWS took over HTTP, after one that warms up."""
    body, seconds = _body(bento), []
    for _ in range(rounds + 1):
        request = urllib.request.Request(url + BATCH, body, {"content-type": "application/json"})
        start = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as response:
            response.read()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def format_costs(bento: Path, batches: list[float]) -> str:
    """The parts of one valuation and of a batch, measured in this process, and the verdict on batches."""
    contract = read(bento / "src")
    predictor = Predictor.load(bento / "src", contract)
    model = batch_model(property_model(contract), ROWS)

    def rows(body: bytes) -> list[dict[str, Any]]:
        return rows_of(model.model_validate(parse_json(body)).properties, contract)

    batch = _body(bento)
    single = json.dumps({"properties": json.loads(batch)["properties"][:1]}).encode()
    single_costs, batch_costs = _costs(predictor, rows, single, 300), _costs(predictor, rows, batch, 3)
    seconds = statistics.median(batches)
    rate = ROWS / seconds
    lines = [
        f"{'the floor of':26}{'model':>12}{'valuation':>12}{'JSON in':>12}{'checks':>12}{'JSON out':>12}",
        f"{'one property, µs':26}" + "".join(f"{1e6 * part:12,.1f}" for part in single_costs),
        f"{f'{ROWS:,} properties, ms':26}" + "".join(f"{1e3 * part:12,.1f}" for part in batch_costs),
        f"a batch of {ROWS:,} in {seconds * 1000:,.0f} ms, {rate:,.0f} valuations/s: "
        f"{'meets' if rate >= MIN_RATE else 'MISSES'} ≥ {MIN_RATE:,}; the model alone, on one of "
        f"{len(os.sched_getaffinity(0))} cores, does {ROWS / batch_costs[0]:,.0f}",
    ]
    return "\n".join(lines) + "\n"


def _costs(
    predictor: Predictor, read_rows: Callable[[bytes], list[dict[str, Any]]], body: bytes, times: int
) -> list[float]:
    """Seconds of the model, of a valuation, of parsing, of parsing with checks, and of writing."""
    rows = read_rows(body)
    columns = predictor._columns(rows)
    inputs = {**columns, **predictor._history.features(columns)}
    answers = predictor.value(rows)
    return [
        _best(lambda: predictor._model.value(inputs), times),
        _best(lambda: predictor.value(rows), times),
        _best(lambda: parse_json(body), times),
        _best(lambda: read_rows(body), times),
        _best(lambda: to_json({"valuations": answers}), times),
    ]


def _best(work: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _body(bento: Path) -> bytes:
    example = read(bento / "src").example
    area = example["square_meters"]
    sizes = (round(area * (0.75 + number / (2 * ROWS)), 3) for number in range(ROWS))
    return json.dumps({"properties": [example | {"square_meters": size} for size in sizes]}).encode()
