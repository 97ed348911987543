"""Error, time and memory of models trained on samples of increasing size, in processes of their own.

    python -m benchmarks.learning_curve --project FOLDER [--sizes 100000 200000 400000]

Reads the training set of the project in FOLDER, and draws nested samples as `features` draws them. Each model has the
configured parameters and all cores. The stage `train` is measured with few trees, since its memory does not depend on
their number. Writes benchmarks/results/learning_curve.json and docs/results/learning_curve.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.scale import machine
from homei.config import params
from homei.features.training_sample import STRATUM, sampling_rate
from homei.storage import lake
from homei.training.encoding import columns_of
from homei.training.learning_curve import curve_row
from homei.training.time_splits import split_holdout
from homei.training.train import train_models, whole_learning_curve
from homei.training.training_recipe import Recipe

RESULTS = Path("benchmarks/results/learning_curve.json")
TABLE = Path("docs/results/learning_curve.md")
SECTIONS = ("seed", "city", "features", "split", "model", "train", "intervals", "applicability")
FEW_TREES = 5
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, default=Path(), help="The project whose training set is used.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 200_000, 400_000])
    options = parser.parse_args()
    with contextlib.chdir(options.project):
        p, sales = params.pick(*SECTIONS), lake.read(lake.TRAINING_SET)
    recipe = replace(Recipe.from_config(p), threads=os.cpu_count())
    before, holdout = split_holdout(sales, p.split)
    sizes = [*(size for size in sorted(options.sizes) if size < len(before)), len(before)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        holdout_path = stored(holdout, Path(folder, "holdout.parquet"))
        for size in sizes:
            path = stored(stratified_sample(before, size, p.seed), Path(folder, "sales.parquet"))
            row = in_new_process(measured_fit, path, holdout_path, recipe)
            # The stage gets as many sales, with the hold-out's share.
            path = stored(stratified_sample(sales, size * len(sales) // len(before), p.seed), path)
            rows.append(row | in_new_process(measured_stage, path, recipe.with_parameters(n_estimators=FEW_TREES), p))
            print(json.dumps(rows[-1]), flush=True)
    result = {"city": p.city.title, "machine": machine(), "threads": recipe.threads, "workers": p.train.workers}
    save(result | {"max_training_rows": p.features.max_training_rows, "holdout": len(holdout), "rows": rows})


def stratified_sample(sales: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """About `size` of the sales by hashes of their ids, at the rates of `training_sample`."""
    if size >= len(sales):
        return sales
    strata = sales.assign(year=sales["month"] // 12).groupby(STRATUM, dropna=False)
    rate, kept = sampling_rate(strata.size().to_numpy(dtype=float), size)
    draw = pd.util.hash_array(sales["transaction_id"].to_numpy(dtype=object), hash_key=f"{seed:016d}"[-16:]) / 2.0**64
    return sales[draw < np.maximum(rate, kept / strata["price"].transform("size"))]


def stored(rows: pd.DataFrame, path: Path) -> Path:
    rows.to_parquet(path)
    return path


def in_new_process(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The measures of a call in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def measured_fit(sales_path: Path, holdout_path: Path, recipe: Recipe) -> dict[str, Any]:
    """The hold-out's errors of a model, and the seconds and memory that its training took."""
    sales, holdout = (pd.read_parquet(path, columns=recipe.columns) for path in (sales_path, holdout_path))
    start, cpu_start = time.perf_counter(), time.process_time()
    model = recipe.fit(sales)
    seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu_start}
    measures = {name: round(value, 1) for name, value in seconds.items()} | {"peak_mib": peak_mib()}
    return curve_row(len(sales), model.prices(columns_of(holdout)), holdout["price"]) | measures


def measured_stage(sales_path: Path, recipe: Recipe, p: SimpleNamespace) -> dict[str, Any]:
    """The sales and the peak memory of what the stage `train` does with them."""
    sales = pd.read_parquet(sales_path, columns=recipe.columns)
    result = train_models(sales, recipe, p, "benchmark", p.train.workers)
    whole_learning_curve(sales, result, recipe, p)
    return {"stage_sales": len(sales), "stage_peak_mib": peak_mib()}


def peak_mib() -> int:
    """The largest resident memory of this process; `getrusage` would count the parent's until the start."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024


def save(result: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text("\n".join(lines(result)) + "\n", encoding="utf-8")


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The result as a table of Markdown, and what each sale adds to the memory."""
    rows = result["rows"]
    yield (
        f"**{result['city']}** ({result['machine']}; LightGBM with {result['threads']} threads, a hold-out of "
        f"{result['holdout']:,} sales, one run)"
    )
    yield ""
    yield (
        "| Sales trained on | Median error | 95 % interval | Within 10 % | Seconds | CPU seconds | "
        "Memory, MiB | Sales of the stage `train` | Memory of the stage, MiB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row['n_sales']:,} | {row['mdape']:.2%} | {row['low']:.2%} to {row['high']:.2%} | {row['ppe10']:.1%} | "
            f"{row['seconds']:,.0f} | {row['cpu_seconds']:,.0f} | {row['peak_mib']:,} | {row['stage_sales']:,} | "
            f"{row['stage_peak_mib']:,} |"
        )
    if len(rows) > 1:
        one, stage = slope(rows, "n_sales", "peak_mib"), slope(rows, "stage_sales", "stage_peak_mib")
        limit = result["max_training_rows"]
        yield ""
        yield (
            f"Each further sale adds {one:,.0f} bytes to the training of one model, and {stage:,.0f} bytes to the "
            f"stage with `train.workers: {result['workers']}`. At {limit:,} sales the stage would need "
            f"{(rows[-1]['stage_peak_mib'] + stage * (limit - rows[-1]['stage_sales']) / MIB) / 1024:,.1f} GiB."
        )


def slope(rows: Sequence[dict[str, Any]], size: str, memory: str) -> float:
    """Bytes a sale, from the smallest to the largest size."""
    return (rows[-1][memory] - rows[0][memory]) * MIB / (rows[-1][size] - rows[0][size])


if __name__ == "__main__":
    main()
