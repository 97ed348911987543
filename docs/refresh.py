"""Writes the result tables and screenshots of the documentation from the current reports.

Run it in the project's folder after `make repro`: python docs/refresh.py [--pictures]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

RESULTS, IMAGES, README = Path("docs/results"), Path("docs/images"), Path("README.md")
PICTURES = IMAGES / "sources.json"
METRICS, BACKTEST = Path("reports/evaluation/metrics.json"), Path("reports/backtest/backtest.json")
SITE = Path("reports/site/index.html")
STATISTICS = ("n", "mdape", "ppe10", "median_ratio", "cod", "prd", "prb")
MONTHLY = {
    "model": "**homei**",
    "linear": "ridge regression on all features, with comparables",
    "untuned": "LightGBM with default parameters, on attributes and places",
    "naive": "median of similar properties",
}
HOLD_OUT = {
    "noise_floor": "noise floor",
    "out_of_time": "**homei, out of time**",
    "random_split": "homei on a random split (too optimistic)",
    "linear": "ridge regression on all features",
    "naive": "median of similar properties",
}


def extract(metrics: Mapping[str, Any], backtest: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of the result tables, from the reports of one run."""
    return {
        "source": metrics["source"],
        "backtest": {name: {key: backtest["pooled"][name][key] for key in STATISTICS} for name in MONTHLY},
        "hold_out": {name: {key: metrics[name].get(key) for key in STATISTICS} for name in HOLD_OUT},
        "intervals": {key: backtest["intervals"][key] for key in ("level", "coverage", "mean_relative_width")},
    }


def result_tables(results: Mapping[str, Any]) -> str:
    """The result tables of one city as Markdown."""
    sales = results["backtest"]["model"]["n"]
    intervals = results["intervals"]
    lines = [
        f"Backtest: {sales:,} sales of the last months, each valued by a model of the months before it.",
        "",
        *backtest_table(results),
        "",
        f"{percent(intervals['coverage'], 1)} of the prices lie in their {percent(intervals['level'], 0)} interval. "
        f"The mean interval width is {percent(intervals['mean_relative_width'], 1)} of the value.",
        "",
        f"Hold-out: {results['hold_out']['out_of_time']['n']:,} sales of the last months, valued by one earlier model.",
        "",
        "| | median error | within 10 % | median ratio | COD | PRD | PRB |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {title} | {percent(row['mdape'])} | {percent(row['ppe10'], 1)} | {number(row['median_ratio'])} "
            f"| {percent(row['cod'])} | {number(row['prd'])} | {number(row['prb'])} |"
            for title, row in ((title, results["hold_out"][name]) for name, title in HOLD_OUT.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def backtest_table(results: Mapping[str, Any]) -> list[str]:
    """The lines of the backtest's table: homei beside its baselines."""
    rows = ((title, results["backtest"][name]) for name, title in MONTHLY.items())
    return [
        "| | median error | within 10 % | COD |",
        "|---|---|---|---|",
        *(
            f"| {title} | {percent(row['mdape'])} | {percent(row['ppe10'], 1)} | {percent(row['cod'])} |"
            for title, row in rows
        ),
    ]


def percent(share: float | None, digits: int = 2) -> str:
    return "–" if share is None else f"{share:.{digits}%}".replace("%", " %").replace("-", "−")


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def stage_table(graph: Mapping[str, Any]) -> str:
    """The stages of dvc.yaml as Markdown."""
    rows = [f"| `{name}` | {stage['desc']} |" for name, stage in graph["stages"].items()]
    return "\n".join(["| Stage | Result |", "|---|---|", *rows]) + "\n"


def documents() -> dict[Path, str]:
    """Every generated document with its current text."""
    texts = {RESULTS / "stages.md": stage_table(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8")))}
    readme = README.read_text(encoding="utf-8")
    for path in sorted(RESULTS.glob("*.json")):
        results = read(path)
        texts[path.with_suffix(".md")] = result_tables(results)
        readme = replace_block(readme, f"results: {path.stem}", "\n".join(backtest_table(results)))
    texts[README] = readme
    return texts


def replace_block(text: str, name: str, content: str) -> str:
    """`text` with new content between `<!-- name -->` and `<!-- end -->`, if it has such a block."""
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    return block.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def routes_digest(openapi: Mapping[str, Any]) -> str:
    """A digest of what the API page lists: routes, methods and summaries."""
    rows = [
        [path, method, operation.get("summary", "")]
        for path, methods in sorted(openapi["paths"].items())
        for method, operation in sorted(methods.items())
    ]
    return hashlib.md5(json.dumps(rows).encode(), usedforsecurity=False).hexdigest()


def take_pictures(city: str) -> None:
    """Takes screenshots of the front page and the API page, and records their sources."""
    from playwright.sync_api import sync_playwright

    sources = read(PICTURES) if PICTURES.exists() else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = subprocess.Popen([sys.executable, "-m", "homei", "serve", "--port", str(port)])
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1180, "height": 1000})
            page.goto(SITE.resolve().as_uri())
            front_page = "front-page.png" if city == "demo" else f"front-page-{city}.png"
            page.screenshot(path=IMAGES / front_page)
            sources[front_page] = md5(SITE) if city == "demo" else md5(RESULTS / f"{city}.json")
            if city == "demo":
                show_valuation(port)
                openapi = wait_for(f"http://127.0.0.1:{port}/openapi.json")
                page.goto(f"http://127.0.0.1:{port}/docs")
                page.wait_for_selector(".opblock")
                page.screenshot(path=IMAGES / "api.png")
                sources["api.png"] = routes_digest(openapi)
            browser.close()
    finally:
        service.terminate()
        service.wait()
    PICTURES.write_text(json.dumps(sources, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def show_valuation(port: int) -> None:
    """Writes the service's response to README's request into README."""
    readme = README.read_text(encoding="utf-8")
    body = re.search(r"predict/price.*?-d '({.*?})'", readme, re.DOTALL)[1]
    wait_for(f"http://127.0.0.1:{port}/openapi.json")
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/predict/price", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        valuation = json.dumps(json.load(response)).replace(', "flags"', ',\n "flags"')
    README.write_text(replace_block(readme, "valuation", f"```json\n{valuation}\n```"), encoding="utf-8")


def wait_for(url: str, timeout_seconds: float = 60) -> Any:
    """The JSON at a URL, as soon as the server answers."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with urllib.request.urlopen(url) as response:
                return json.load(response)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", action="store_true", help="take the screenshots too")
    arguments = parser.parse_args()
    results = extract(read(METRICS), read(BACKTEST))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{results['source']}.json"
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for document, text in documents().items():
        document.write_text(text, encoding="utf-8")
    if arguments.pictures:
        take_pictures(results["source"])


if __name__ == "__main__":
    main()
