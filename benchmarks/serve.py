"""The packaged service, a plain FastAPI + uvicorn app that does the same work, and the original design.

Run `python -m benchmarks.serve` in the project's folder, after `dvc repro package`. Rounds alternate between the
servers, and servers are compared within a round, so that other load on the machine affects all equally. Each figure is
the median of the rounds. The CPU time of a request hardly depends on other load.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import serve_floor, serve_original
from benchmarks.servers import Server, running
from homei.serving.auth import clients, signing_keys
from homei.serving.auth.startup_checks import auth_environment
from homei.serving.auth.tokens import issue_token
from homei.serving.contract import read
from homei.serving.launch import checked_bento, environment
from homei.serving.predictions.log import FOLDER_VARIABLE
from homei.storage import lake
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connected
from homei.warehouse.schema import migrate

HERE = Path(__file__).resolve().parent
PATH = "/api/v1/predict/price"
CONNECTIONS = (1, 32)
TITLES = {
    "bento": "the packaged service",
    "tokens": "the same with tokens",
    "logged": "the same with a prediction log",
    "plain": "plain FastAPI + uvicorn",
    "same": "the same app, uvicorn",
    "original": "the original design, Flask",
}
MIN_RATIO = 0.8  # of the plain app's throughput, at 32 connections
MIN_SPEEDUP = 5.0  # the original's throughput
MIN_RATIO_WITH_TOKENS = 0.85  # of the throughput without
MIN_RATIO_WITH_LOG = 0.85
MAX_P95 = {1: 5.0, 32: 50.0}  # ms, by connections
PARTS = ("rate", "p50", "p95", "cpu")

Figures = dict[tuple[str, int], list[dict[str, float]]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4, help="of load, per round and server")
    options = arguments.parse_args()
    bento = checked_bento()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        bodies = Path(name) / "bodies.jsonl"
        bodies.write_text("\n".join(bodies_for(bento)), encoding="utf-8")
        servers = started(Path(name), bento, stack)
        figures = measure(servers, bodies, options.rounds, options.seconds)
        batches = serve_floor.batches(servers["bento"].url, bento, options.rounds)
    sys.stdout.write(format_figures(figures) + serve_floor.format_costs(bento, batches))


def started(folder: Path, bento: Path, stack: contextlib.ExitStack) -> dict[str, Server]:
    """All servers, by their names in TITLES."""
    publish = warehouse(folder)
    entry, os.environ["TOKEN"] = admission(folder, bento, publish)
    logging = {FOLDER_VARIABLE: f"{folder}/waiting", publish.address: f"sqlite:///{publish.file}"}
    servers = {}
    for name, more in {"bento": {}, "tokens": entry, "logged": logging}.items():
        env = dict.fromkeys((signing_keys.FOLDER_VARIABLE, FOLDER_VARIABLE), "") | environment_of_bentoml() | more
        servers[name] = stack.enter_context(running(["bentoml", "serve", str(bento)], bento / "src", env, "/readyz"))
    for name in ("plain", "same"):
        command = ["uvicorn", f"serve_peer:{name}", "--no-access-log", "--log-level", "warning"]
        env = {"PYTHONPATH": os.pathsep.join([str(bento / "src"), str(HERE)])}
        servers[name] = stack.enter_context(running(command, bento / "src", env, "/openapi.json"))
    serve_original.fit(lake.read(lake.TRAINING_SET), folder)
    command = ["flask", "--app", str(HERE / "serve_original.py"), "run"]
    servers["original"] = stack.enter_context(running(command, folder, {serve_original.FOLDER: str(folder)}, "/health"))
    return servers


def environment_of_bentoml() -> dict[str, str]:
    return {
        name: value
        for name, value in environment().items()
        if name not in (signing_keys.FOLDER_VARIABLE, FOLDER_VARIABLE)
    }


def warehouse(folder: Path) -> PublishConfig:
    """An empty warehouse."""
    publish = PublishConfig(address="HOMEI_WAREHOUSE", file=str((folder / "warehouse.db").resolve()))
    os.environ[publish.address] = f"sqlite:///{publish.file}"
    with connected(publish) as engine:
        migrate(engine)
    return publish


def admission(folder: Path, bento: Path, publish: PublishConfig) -> tuple[dict[str, str], str]:
    """The environment of a service with a key and a client without a rate limit, and its token."""
    with connected(publish) as engine:
        clients.add_client(engine, folder / "audit", "load", ["predict"], 1_000_000)
    key = signing_keys.create_key(folder / "keys", datetime.datetime.now(datetime.UTC))
    rules = read(bento / "src").limits.access
    os.environ["HOMEI_AUDIT"] = str(folder / "audit")
    # The benchmark must end before the token expires.
    return auth_environment(folder / "keys"), issue_token(key, rules, "load", ["predict"], time.time())


def bodies_for(bento: Path) -> list[str]:
    """The contract's example property in fifty sizes, none of which is too unusual to be valued.

    The load generator replaces @ by digits, so that no two requests are equal.
    """
    example = read(bento / "src").example
    area = example["square_meters"]
    properties = (example | {"square_meters": f"{int(area * (0.75 + n / 100))}.@"} for n in range(50))
    return [json.dumps(each).replace('.@"', ".@").replace(': "', ":", 1) for each in properties]


def measure(servers: dict[str, Server], bodies: Path, rounds: int, seconds: int) -> Figures:
    figures: Figures = {(name, connections): [] for connections in CONNECTIONS for name in servers}
    for server in servers.values():
        load(server, bodies, 4, 1)  # warms up
    for number in range(rounds):
        for name, connections in list(figures)[:: -1 if number % 2 else 1]:
            figures[name, connections].append(load(servers[name], bodies, connections, seconds))
    return figures


def load(server: Server, bodies: Path, connections: int, seconds: int) -> dict[str, float]:
    command = [sys.executable, HERE / "http_load.py", server.url + PATH, bodies, str(connections), str(seconds)]
    before = server.cpu()
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if figures["failed"]:
        raise RuntimeError(f"{figures['failed']:.0f} requests to {server.url} failed")
    return figures | {"cpu": 1000 * (server.cpu() - before) / (figures["rate"] * seconds)}


def format_figures(figures: Figures) -> str:
    head = (
        f"{'connections':>12}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'of plain':>10}{'CPU ms':>9}{'of plain':>10}"
    )
    lines = [f"{'':26}{head}"]
    for (name, count), rounds in figures.items():
        rate, p50, p95, cpu = (
            statistics.median(each[part] for each in rounds) for part in ("rate", "p50", "p95", "cpu")
        )
        of_plain = [ratio(figures, part, name, "plain", count) for part in ("rate", "cpu")]
        times = f"{rate:12,.0f}{p50:9.2f}{p95:9.2f}{of_plain[0]:10.2f}{cpu:9.3f}{of_plain[1]:10.2f}"
        lines.append(f"{TITLES[name]:26}{count:12}{times}")
    return "\n".join([*lines, *verdicts(figures)]) + "\n"


def verdicts(figures: Figures) -> list[str]:
    """The requirement of each figure, and whether it is met."""
    of_plain, times, tokens = (
        [ratio(figures, part, *pair, 32) for part in ("rate", "cpu")]
        for pair in (("bento", "plain"), ("bento", "original"), ("tokens", "bento"))
    )
    logged = [ratio(figures, "rate", "logged", "bento", count) for count in CONNECTIONS]
    p95 = {count: statistics.median(each["p95"] for each in figures["bento", count]) for count in CONNECTIONS}
    return [
        f"at 32 connections {of_plain[0]:.2f} of the plain app's throughput: {at_least(of_plain[0], MIN_RATIO)}; "
        f"a request takes {of_plain[1]:.2f} of its CPU time",
        f"{times[0]:.2f} times the original's throughput: {at_least(times[0], MIN_SPEEDUP)}; "
        f"{times[1]:.2f} of its CPU time",
        f"with tokens {tokens[0]:.2f} of that without: {at_least(tokens[0], MIN_RATIO_WITH_TOKENS)}; "
        f"{tokens[1]:.2f} of its CPU time",
        f"with a prediction log {logged[0]:.2f} at one connection and {logged[1]:.2f} at 32: "
        f"{at_least(min(logged), MIN_RATIO_WITH_LOG)}",
        *(
            f"at {count} connections a p95 of {p95[count]:.2f} ms: "
            f"{'meets' if p95[count] <= most else 'MISSES'} ≤ {most:g} ms"
            for count, most in MAX_P95.items()
        ),
    ]


def ratio(figures: Figures, part: str, name: str, other: str, connections: int) -> float:
    """The median over the rounds of one server's figure divided by the other's in the same round."""
    pairs = zip(figures[name, connections], figures[other, connections], strict=True)
    return statistics.median(one[part] / two[part] for one, two in pairs)


def at_least(value: float, limit: float) -> str:
    return f"{'meets' if value >= limit else 'MISSES'} ≥ {limit:g}"


if __name__ == "__main__":
    main()
