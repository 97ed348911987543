"""Time, memory and bytes of the stages from files to features, for a simulated region of any number of sales.

    python -m benchmarks.scale --sales 1000000
    python -m benchmarks.scale --sales 10000000 --lake folder
    python -m benchmarks.scale --sales 10000000 --lake folder --workers 2

Simulates the region in a copy of the project, runs each stage in it, and then has DuckDB compute the joins and as-of
aggregates of `features` over the same sales. With --workers, Spark runs as a standalone cluster of so many workers of
one core each on this machine. Adds the rows to benchmarks/results/scale.json, and rewrites docs/results/scale.md.
A run with --scratch that was interrupted goes on with the stage after the last one that it measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.process_usage import MIB, Usage, run
from benchmarks.spark_cluster import running_cluster

RESULTS = Path("benchmarks/results/scale.json")
TABLE = Path("docs/results/scale.md")
TABLES = ("sales", "listings", "customers", "leads", "indicators", "places")
STAGES = {
    "ingest": [["homei", "ingest", table] for table in TABLES],
    "validate": [["homei", "validate"]],
    "resolve": [["homei", "resolve"]],
    "features": [["homei", "features"]],
}
PEER = "DuckDB, joins and aggregates of features"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sales", type=int, default=1_000_000)
    parser.add_argument("--lake", choices=("workspace", "folder", "s3"), default="workspace")
    parser.add_argument("--workers", type=int, default=0, help="Workers of a Spark cluster; 0: Spark in the process.")
    parser.add_argument("--scratch", type=Path, help="A folder to keep the region and what is built of it.")
    parser.add_argument("--without-peer", action="store_true", help="Do not measure DuckDB.")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        scratch = options.scratch or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        project, env = copy_of_project(scratch / "project"), environment(scratch)
        pids: list[int] = []
        if options.workers:
            cluster = stack.enter_context(running_cluster(options.workers, scratch / "cluster", env))
            env["HOMEI_SPARK_MASTER"], pids = cluster.url, cluster.processes
        done, spark = scratch / "measured.json", "cluster" if options.workers else "local"
        rows = json.loads(done.read_text()) if done.exists() else []

        def measure(name: str, commands: list[list[str]], env: dict[str, str], pids: list[int]) -> None:
            if name not in (row["stage"] for row in rows):
                rows.append(measured(name, commands, project, env, pids))
                done.write_text(json.dumps(rows))

        measure("simulate", [["homei", "simulate", "--sales", str(options.sales)]], env, [])
        prepare(project, env, options.lake, spark)
        for stage, commands in STAGES.items():
            measure(stage, commands, env, pids)
        if not options.without_peer:
            measure(PEER, [peer(project)], env | {"PYTHONPATH": str(Path.cwd())}, [])
        written = {"lake": size_of(scratch / "lake"), "data": size_of(project / "data")}
    mode = f"lake={options.lake}, " + (
        f"{options.workers} Spark workers" if options.workers else "Spark in the process"
    )
    save({"sales": options.sales, "mode": mode, "machine": machine(), "written_mib": written, "stages": rows})


def copy_of_project(folder: Path) -> Path:
    """Copies what git tracks, and the parameters of a region that an earlier run left."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    for name in filter(os.path.isfile, listed):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def environment(scratch: Path) -> dict[str, str]:
    """The variables of all commands: the code of the copy, a lake beside it, and a key for made-up names."""
    own = {"PYTHONPATH": str(scratch / "project/src"), "HOMEI_PSEUDONYM_KEY": "benchmark"}
    lake = os.environ.get("HOMEI_LAKE", f"file://{scratch.resolve()}/lake")
    return {**os.environ, **own, "HOMEI_LAKE": lake, "DVC_NO_ANALYTICS": "true"}


def prepare(project: Path, env: dict[str, str], lake: str, spark: str) -> None:
    """Chooses the region, its lake and Spark, and reads the region's indicators."""
    for command in (
        ["homei", "compose", "city=region", f"lake={lake}", f"spark={spark}"],
        ["homei", "fetch", "region"],
    ):
        subprocess.run(command, cwd=project, env=env, check=True, capture_output=True)


def measured(
    name: str, commands: list[list[str]], folder: Path, env: dict[str, str], pids: list[int]
) -> dict[str, Any]:
    """The usage of a stage's commands together, which is also printed."""
    total = Usage()
    for command in commands:
        usage = run(command, folder, env, pids)
        total.wall_seconds += usage.wall_seconds
        total.cpu_seconds += usage.cpu_seconds
        total.peak_mib = max(total.peak_mib, usage.peak_mib)
        for kind, memory in usage.largest_mib.items():
            total.largest_mib[kind] = max(total.largest_mib.get(kind, 0.0), memory)
    largest = ", ".join(f"{kind} {memory:,.0f}" for kind, memory in sorted(total.largest_mib.items()))
    sys.stdout.write(
        f"{name:<42}{total.wall_seconds:>9.1f} s{total.cpu_seconds:>9.1f} CPU s{total.peak_mib:>9,.0f} MiB "
        f"(largest: {largest})\n"
    )
    sys.stdout.flush()
    return {"stage": name, **asdict(total)}


def peer(project: Path) -> list[str]:
    """DuckDB's command; an external table's files are those of its only snapshot."""
    receipt = project / "data/processed/resolved/sales/receipt.json"
    sales = project / "data/processed/resolved/sales"
    if receipt.is_file():
        sales = Path(json.loads(receipt.read_text())["table"].removeprefix("file://"), "files")
    index = project / "data/processed/aggregates/market_index"
    return [sys.executable, "-m", "benchmarks.duckdb_features", str(sales), str(index)]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // MIB


def machine() -> str:
    return f"{os.cpu_count()} cores, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB, " + (
        f"{platform.system()}, Python {platform.python_version()}"
    )


def save(result: dict[str, Any]) -> None:
    """Replaces the result of the same size and mode, and writes all results as a table."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    others = [one for one in results if (one["sales"], one["mode"]) != (result["sales"], result["mode"])]
    results = sorted([*others, result], key=lambda one: (one["sales"], one["mode"]))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text("\n".join(lines(results)) + "\n", encoding="utf-8")


def lines(results: list[dict[str, Any]]) -> Iterator[str]:
    """The results as tables of Markdown, one for each size and mode."""
    for result in results:
        yield f"**{result['sales']:,} sales, {result['mode']}** ({result['machine']})"
        yield ""
        yield "| Stage | Seconds | CPU seconds | All processes, MiB | Largest Java, MiB | Largest Python, MiB |"
        yield "|---|---|---|---|---|---|"
        for row in result["stages"]:
            java, python = (row["largest_mib"].get(kind, 0) for kind in ("java", "python"))
            yield (
                f"| {row['stage']} | {row['wall_seconds']:,.0f} | {row['cpu_seconds']:,.0f} | {row['peak_mib']:,.0f} | "
                f"{java:,.0f} | {python:,.0f} |"
            )
        yield ""
        written = " and ".join(f"{size:,} MiB in {name}" for name, size in result["written_mib"].items() if size)
        yield f"Written: {written}."
        yield ""


if __name__ == "__main__":
    main()
