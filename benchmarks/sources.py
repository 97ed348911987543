"""Rate of ingestion and validation for each kind of feed, compared with the same work in pandas.

Run `python -m benchmarks.sources` in the project's folder. Rounds alternate between both, so that other load on the
machine affects both equally. Each figure is the median of the rounds. Memory is measured in a separate process.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

from homei.config import params
from homei.config.feeds import Source
from homei.ingestion import ingest
from homei.ingestion.feeds import incremental_feeds
from homei.ingestion.landing import land
from homei.storage import lake
from homei.validation import validate

RECORDS = {"files": 300_000, "sql": 300_000, "api": 50_000}
MIN_RATES = {"files": 100_000, "sql": 100_000, "api": 10_000}  # records per second, ingested and validated
MEMORY_ROWS = (250_000, 500_000, 1_000_000)
MAX_MEMORY_GIB = 2.0
PAGE = 500
COLUMNS = ["id", "day", "price", "area", "type", "town", "built", "floor", "lat", "lon", "changed"]
NAMES = {
    "transaction_id": "id", "sale_date": "day", "price": "price", "square_meters": "area", "property_type": "type",
    "location": "town", "year_built": "built", "floor": "floor", "latitude": "lat", "longitude": "lon",
}  # fmt: skip
RANGES = {"price": [1000, 10_000_000], "square_meters": [10, 1000], "floor": [0, 60]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--memory", action="store_true", help="ingest and validate sales.csv; print memory")
    options = arguments.parse_args()
    if options.memory:
        print(json.dumps(_peak()))
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        print(f"{'kind':<8}{'records':>10}{'read/s':>12}{'checked/s':>12}{'pandas/s':>12}{'ratio':>8}")
        for kind in RECORDS:
            _measure(kind, options.rounds)
        for rows in MEMORY_ROWS:
            _records(rows).to_csv("sales.csv", index=False)
            output = subprocess.run([sys.executable, __file__, "--memory"], capture_output=True, check=True)
            usage = json.loads(output.stdout)
            verdict = "meets" if usage["peak"] <= MAX_MEMORY_GIB else "MISSES"
            figures = f"{usage['seconds']:.1f} s, peak {usage['peak']:.2f} GiB: {verdict} {MAX_MEMORY_GIB} GiB"
            print(f"{rows:>9,} rows, ingested and validated: {figures}")


def _measure(kind: str, rounds: int) -> None:
    frame = _records(RECORDS[kind])
    with _feed(kind, frame) as (source, by_pandas):
        read, checked, pandas = [], [], []
        for _ in range(rounds):
            read_seconds = _seconds(lambda: _read(source))
            read.append(read_seconds)
            checked.append(read_seconds + _seconds(lambda: validate.run(*source, _limit())))
            pandas.append(_seconds(by_pandas))
    rates = [len(frame) / statistics.median(times) for times in (read, checked, pandas)]
    verdict = f"{'meets' if rates[1] >= MIN_RATES[kind] else 'MISSES'} {MIN_RATES[kind]:,} per second"
    figures = "".join(f"{rate:>12,.0f}" for rate in rates)
    print(f"{kind:<8}{len(frame):>10,}{figures}{rates[1] / rates[2]:>8.2f}  {verdict}")


def _read(source: Source) -> None:
    for table, feed in incremental_feeds(source.feeds):
        land(source.city, table, feed, again=True)
    for table in lake.RAW:
        ingest.run(table, source.city, source.feeds)


def _peak() -> dict[str, float]:
    source = _source({"kind": "files", "files": ["sales.csv"]})
    seconds = _seconds(lambda: (_read(source), validate.run(*source, _limit())))
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def _records(count: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    days = pd.Timestamp("2004-01-01") + pd.to_timedelta(random.integers(0, 7000, count), "D")
    return pd.DataFrame(
        {
            "id": [f"T{number}" for number in range(count)],
            "day": days.strftime("%Y-%m-%d"),
            "price": random.integers(150_000, 550_000, count),
            "area": random.uniform(40, 140, count).round(1),
            "type": random.choice(["flat", "house"], count),
            "town": [f"East{number % 40}" for number in range(count)],
            "built": random.integers(1900, 2020, count),
            "floor": random.integers(0, 12, count),
            "lat": random.uniform(45, 45.2, count).round(6),
            "lon": random.uniform(11, 11.2, count).round(6),
            "changed": days.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        columns=COLUMNS,
    )


@contextlib.contextmanager
def _feed(kind: str, frame: pd.DataFrame) -> Iterator[tuple[Source, Callable[[], object]]]:
    """A source whose sales are the frame's rows, and a function that reads and checks them with pandas."""
    if kind == "files":
        frame.to_csv("sales.csv", index=False)
        yield _source({"kind": kind, "files": ["sales.csv"]}), lambda: _check(pd.read_csv("sales.csv", dtype=str))
    elif kind == "sql":
        with contextlib.closing(sqlite3.connect("sales.sqlite")) as connection:
            frame.to_sql("deeds", connection, index=False, if_exists="replace")
            feed = {"kind": kind, "url": "sqlite:///sales.sqlite", "table": "deeds", "key": "id"}
            source = _source(feed | {"changed": "changed"})
            yield source, lambda: _check(pd.read_sql("select * from deeds", connection).astype(str))
    else:
        with _serving(frame) as url:
            paging = {"kind": "page", "size": PAGE}
            source = _source({"kind": kind, "url": url, "key": "id", "changed": "changed", "paging": paging})
            yield source, lambda: _check(_pages(url).astype(str))


def _source(feed: dict) -> Source:
    contract = {"required": ["price"], "ranges": RANGES}
    city = {"name": "town", "title": "Town", "currency": "EUR", "as_of": "2024-12-31", "folder": "."}
    city["coordinates"] = {"origin": [45.1, 11.1]}
    sales = feed | {"columns": NAMES}
    return params.source({"city": city, "feeds": {"sales": sales}, "contract": contract})


def _limit() -> object:
    return params.section("validate", {"max_rejected_share": 0.5})


def _check(rows: pd.DataFrame) -> None:
    """Checks the contract with pandas (types, ranges, duplicates) and writes all rows as Parquet."""
    rows = rows.rename(columns={source: canonical for canonical, source in NAMES.items()})
    rows["sale_date"] = pd.to_datetime(rows["sale_date"], errors="coerce")
    for name in ("price", "square_meters", "year_built", "floor", "latitude", "longitude"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce")
    is_rejected = rows[["price", "square_meters", "sale_date", "property_type", "location"]].isna().any(axis=1)
    for name, (low, high) in RANGES.items():
        is_rejected |= ~rows[name].between(low, high)
    is_rejected |= rows["transaction_id"].duplicated() | (rows["sale_date"] > pd.Timestamp("2024-12-31"))
    rows[~is_rejected].to_parquet("valid.parquet")
    rows[is_rejected].to_parquet("rejected.parquet")


def _pages(url: str) -> pd.DataFrame:
    pages, number = [], 1
    with httpx.Client() as client:
        while page := client.get(url, params={"page": number}).json():
            pages += page
            number += 1
    return pd.DataFrame(pages)


@contextlib.contextmanager
def _serving(frame: pd.DataFrame) -> Iterator[str]:
    bodies = [frame[start : start + PAGE].to_json(orient="records").encode() for start in range(0, len(frame), PAGE)]

    class Pages(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            number = int(self.path.rpartition("page=")[2])
            body = bodies[number - 1] if number <= len(bodies) else b"[]"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/deeds"
        server.shutdown()


def _seconds(work: Callable[[], object]) -> float:
    with Path(os.devnull).open("w") as quiet, contextlib.redirect_stderr(quiet):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
