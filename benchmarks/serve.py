"""The packaged service beside a plain FastAPI + uvicorn app that does the same work, in one run.

`python benchmarks/serve.py` in the project's folder, after `dvc repro package`. Rounds alternate between the
servers, so that what else the machine does hits all alike; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from homei.config import Publish
from homei.serve.access import clients, keys
from homei.serve.access.launching import settings
from homei.serve.access.tokens import issue
from homei.serve.contract import read
from homei.serve.launch import checked_bento, environment
from homei.serve.predictions.log import FOLDER
from homei.warehouse.connection import connect
from homei.warehouse.schema import migrate

HERE = Path(__file__).resolve().parent
PATH = "/api/v1/predict/price"
CONNECTIONS = (1, 32)
TITLES = {
    "bento": "the packaged service",
    "tokens": "the same with tokens",
    "logged": "the same, answers kept",
    "plain": "plain FastAPI + uvicorn",
    "same": "the same app, uvicorn",
}
LEAST_RATIO = 0.6  # of the plain app's throughput, at 32 connections
LEAST_WITH_TOKENS = 0.85  # of the throughput without
LEAST_WITH_LOG = 0.85
MOST_P95 = 10.0  # ms, at one connection

Figures = dict[tuple[str, int], list[dict[str, float]]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4, help="of load, per round and server")
    given = arguments.parse_args()
    bento = checked_bento()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        bodies = Path(name) / "bodies.jsonl"
        bodies.write_text("\n".join(bodies_for(bento)), encoding="utf-8")
        publish = warehouse(Path(name))
        entry, os.environ["TOKEN"] = admission(Path(name), bento, publish)
        logging = {FOLDER: f"{name}/waiting", publish.address: f"sqlite:///{publish.file}"}
        more = {"bento": {}, "tokens": entry, "logged": logging}
        urls = {name: running.enter_context(server(name, bento, more.get(name))) for name in TITLES}
        figures = measure(urls, bodies, given.rounds, given.seconds)
    sys.stdout.write(told(figures))


def warehouse(folder: Path) -> Publish:
    """An empty one."""
    publish = Publish(address="HOMEI_WAREHOUSE", file=str((folder / "warehouse.db").resolve()))
    os.environ[publish.address] = f"sqlite:///{publish.file}"
    engine = connect(publish)
    migrate(engine)
    engine.dispose()
    return publish


def admission(folder: Path, bento: Path, publish: Publish) -> tuple[dict[str, str], str]:
    """The environment of a service with a key and one client of any rate, and a token that lasts."""
    engine = connect(publish)
    clients.add(engine, folder / "audit", "load", ["predict"], 1_000_000)
    engine.dispose()
    key = keys.make(folder / "keys", datetime.datetime.now(datetime.UTC))
    rules = read(bento / "src").limits.access
    os.environ["HOMEI_AUDIT"] = str(folder / "audit")
    # It is good for as long as the service takes it to be: the benchmark must end before.
    return settings(folder / "keys"), issue(key, rules, "load", ["predict"], time.time())


def bodies_for(bento: Path) -> list[str]:
    """The contract's example home in fifty sizes, none of which is too unusual to be valued."""
    example = read(bento / "src").example
    area = example["square_meters"]
    return [json.dumps(example | {"square_meters": round(area * (0.75 + n / 100), 1)}) for n in range(50)]


@contextlib.contextmanager
def server(name: str, bento: Path, settings: dict[str, str] | None) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listening = ["--host", "127.0.0.1", "--port", str(port)]
    if settings is not None:
        command, more = ["bentoml", "serve", str(bento), *listening], settings
    else:
        command = ["uvicorn", f"serve_peer:{name}", *listening, "--no-access-log", "--log-level", "warning"]
        more = {"PYTHONPATH": os.pathsep.join([str(bento / "src"), str(HERE)])}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = {name: value for name, value in environment().items() if name not in (keys.FOLDER, FOLDER)} | more
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=bento / "src", env=env, **quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/openapi.json", process)
        yield url + PATH
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen, seconds: int = 90) -> None:
    for _ in range(seconds * 5):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"no answer at {url}: is the Bento whole? `homei verify` tells")


def measure(urls: dict[str, str], bodies: Path, rounds: int, seconds: int) -> Figures:
    figures: Figures = {(name, connections): [] for connections in CONNECTIONS for name in urls}
    for url in urls.values():
        load(url, bodies, 4, 1)  # warms up
    for _ in range(rounds):
        for name, connections in figures:
            figures[name, connections].append(load(urls[name], bodies, connections, seconds))
    return figures


def load(url: str, bodies: Path, connections: int, seconds: int) -> dict[str, float]:
    command = [sys.executable, HERE / "http_load.py", url, bodies, str(connections), str(seconds)]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if figures["failed"]:
        raise RuntimeError(f"{figures['failed']:.0f} requests to {url} failed")
    return figures


def told(figures: Figures) -> str:
    median = {
        key: {figure: statistics.median(found[figure] for found in rounds) for figure in ("rate", "p50", "p95")}
        for key, rounds in figures.items()
    }
    lines = [f"{'':26}{'connections':>12}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'of plain':>10}"]
    for (name, connections), found in median.items():
        ratio = found["rate"] / median["plain", connections]["rate"]
        times = f"{found['rate']:12,.0f}{found['p50']:9.2f}{found['p95']:9.2f}"
        lines.append(f"{TITLES[name]:26}{connections:12}{times}{ratio:10.2f}")
    ratio = median["bento", 32]["rate"] / median["plain", 32]["rate"]
    with_tokens = median["tokens", 32]["rate"] / median["bento", 32]["rate"]
    logged = [median["logged", count]["rate"] / median["bento", count]["rate"] for count in CONNECTIONS]
    p95 = median["bento", 1]["p95"]
    lines += [
        f"at 32 connections {ratio:.2f} of the plain app's throughput: {verdict(ratio >= LEAST_RATIO)} ≥ {LEAST_RATIO}",
        f"with tokens {with_tokens:.2f} of that: {verdict(with_tokens >= LEAST_WITH_TOKENS)} ≥ {LEAST_WITH_TOKENS}",
        f"with answers kept {logged[0]:.2f} at one connection and {logged[1]:.2f} at 32: "
        f"{verdict(min(logged) >= LEAST_WITH_LOG)} ≥ {LEAST_WITH_LOG}",
        f"at one connection a p95 of {p95:.2f} ms: {verdict(p95 <= MOST_P95)} ≤ {MOST_P95:g} ms",
    ]
    return "\n".join(lines) + "\n"


def verdict(met: bool) -> str:
    return "meets" if met else "MISSES"


if __name__ == "__main__":
    main()
