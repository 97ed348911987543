"""A small Bento of its own project, and BentoML serving it as `homei serve` does."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from model_fixtures import changed
from project_copy import free_port
from sample_sales import sample_sales

from homei.config import params, tool_folders
from homei.features.adjustments import COMPARABLE_POOL
from homei.features.columns import month_of, statistic_columns
from homei.features.comparables import ADJUSTED
from homei.registry import package
from homei.serving import launch
from homei.storage import lake
from homei.training.train import train_models
from homei.training.training_recipe import Recipe
from homei.training.valuation_model import VALUATION

REPOSITORY = Path(__file__).resolve().parents[2]
# What a Bento is built from: its code, settings and lock, and the test's own sales.
INPUTS = ("src/homei", "params", "bentofile.yaml", "tests/serving/bentos.py", "tests/plugins/sample_sales.py")
SLOW = "serve.timeout_seconds=8"  # so that tests of slow clients take little time


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Makes the project folder the current one, and adds uv to the path."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{REPOSITORY / tool_folders.UV}{os.pathsep}{os.environ['PATH']}")
        yield


def build(folder: Path) -> None:
    """Packages a model of a small market in a new project."""
    shutil.copyfile(REPOSITORY / "bentofile.yaml", folder / "bentofile.yaml")
    lake.write_text(params.compose(["city=demo", SLOW], REPOSITORY / "params"), folder / "params.yaml")
    with inside(folder):
        sections = params.check(params.read())
        write_market(sections)
        train_small(sections)
        package_it()


def package_it():
    package.run(**vars(params.pick("city", "contract", "features", "package", "serve", "publish")))


def write_market(sections):
    last = month_of(sections.city.as_of) + 1
    months = np.arange(last - 30, last + 1)
    changes = {"market_change_3": 0.03, "market_change_12": 0.12}
    lake.write(pd.DataFrame({"month": months, "market_level": 8 + 0.01 * np.arange(31), **changes}), lake.MARKET_INDEX)
    statistics = dict.fromkeys(statistic_columns(sections.features), 1.0)
    places = [
        {"level": "location", "place": "harbour", "property_type": kind, "month": month, **statistics}
        for month in months
        for kind in ("flat", "house")
    ]
    lake.write(pd.DataFrame(places), lake.MARKET_HISTORY)
    lake.write(pd.DataFrame({"property_id": ["A1"], "month": [last - 20], "u": [0.1]}), lake.PREVIOUS_SALES)
    place = {"kind": ["station"], "name": ["Quay"], "latitude": [45.0], "longitude": [-30.0], "x": [0.0], "y": [0.0]}
    lake.write(pd.DataFrame(place), lake.PLACES)
    lake.write(pd.DataFrame({"month": months, **dict.fromkeys(ADJUSTED, 0.01)}), lake.ADJUSTMENTS)
    sold = bento_sales(sections, 1500).assign(sale_date="2025-06-01", u=0.1)
    lake.write(sold[[*COMPARABLE_POOL, "u"]], lake.COMPARABLE_POOL)


def train_small(sections, trees=40):
    sales = bento_sales(sections, 1500)
    lake.write(sales, lake.TRAINING_SET)
    recipe = Recipe.from_config(sections).with_parameters(n_estimators=trees)
    two_folds = changed(sections, intervals={"folds": 2})
    trained = train_models(sales, recipe, two_folds, lake.digest(lake.TRAINING_SET)[:12])
    trained.valuation.save(VALUATION)


def bento_sales(sections, count):
    """Sales with all attributes that a request may have."""
    draw = np.random.default_rng(7)
    attributes = {
        "bathrooms": np.nan,
        "bedrooms": draw.integers(1, 6, count).astype(float),
        "latitude": 45 + draw.normal(size=count) / 50,
        "longitude": -30 + draw.normal(size=count) / 50,
    }
    return sample_sales(sections, count, locations=("harbour", "hill")).assign(**attributes)


def homes(contract, count):
    """Properties to be valued, some of them outside the training data."""
    draw = np.random.default_rng(7)
    for number in range(count):
        home = {
            "square_meters": round(draw.uniform(30, 210), 2),
            "property_type": draw.choice(contract.property_types),
        }
        home["location"] = draw.choice(["harbour", "hill"])
        if number % 2:
            home |= {"latitude": 45 + draw.normal() / 90, "longitude": -30 + draw.normal() / 90, "property_id": "A1"}
            home |= {"location": "a new quarter"} if number % 5 == 0 else {}
        if number % 3:
            home |= {
                "year_built": 1950 + number % 70,
                "floor": number % 9,
                "valuation_date": f"2025-{number % 12 + 1:02}-15",
            }
        yield home


def copied(project: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """A copy of the Bento, and an environment in which the repository's homei cannot be imported."""
    with inside(project):
        bento = launch.checked_bento()
    lake.write_text("raise ImportError('this is the repository')\n", folder / "poison" / "homei" / "__init__.py")
    shutil.copytree(bento, folder / "bento")
    own = {"PYTHONPATH": str(folder / "poison"), "BENTOML_HOME": str(folder / "home"), "BENTOML_DO_NOT_TRACK": "true"}
    return folder, os.environ | own


@contextlib.contextmanager
def answering(away, host, options=(), settings=None, bento="bento", log=subprocess.DEVNULL):
    folder, environment = away
    address = ["--host", host, "--port", str(port := free_port()), *options]
    command = [sys.executable, "-m", "bentoml", "serve", str(folder / bento), *address]
    scheme = "https" if options else "http"
    with running(command, f"{scheme}://127.0.0.1:{port}", log, cwd=folder, env=environment | (settings or {})) as url:
        yield url


@contextlib.contextmanager
def running(command, url, log=subprocess.DEVNULL, **how):
    process = subprocess.Popen(command, stdout=log, stderr=log, **how)
    try:
        for _ in range(400):
            with contextlib.suppress(httpx.TransportError):
                assert httpx.get(f"{url}/readyz", verify=False).status_code == 200
                break
            assert process.poll() is None
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait()
