"""The demo's own source, and simulations of it that are small enough for a test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from homei import params
from homei.demo.simulate import simulate_city

GROUPS = Path(__file__).parents[2] / "params"
NUMBERS = ["price", "square_meters", "bedrooms", "bathrooms", "floor", "year_built", "latitude", "longitude"]


@pytest.fixture(scope="session")
def demo_source():
    return params.section("source", yaml.safe_load((GROUPS / "source" / "demo.yaml").read_text()))


@pytest.fixture(scope="session")
def small():
    """Makes a `simulate` section: the project's own with 500 properties, 1,500 sales and what the test changes."""
    own = yaml.safe_load((GROUPS / "config.yaml").read_text())["simulate"]

    def make(**changes):
        return params.section("simulate", own | {"properties": 500, "sales": 1500} | changes)

    return make


@pytest.fixture(scope="session")
def register(demo_source, small):
    """Makes the rows of a small city's register, as strings, with true_price, fault and oddity."""

    def make(seed: int = 1, **changes) -> pd.DataFrame:
        return simulate_city(seed, small(**changes), demo_source)[1]

    return make


@pytest.fixture(scope="session")
def as_numbers():
    """Turns the number columns of clean rows, whose price is the market's, into numbers."""

    def turn(rows: pd.DataFrame) -> pd.DataFrame:
        clean = rows[rows["fault"].isna() & rows["oddity"].isna()]
        return clean.assign(**{name: pd.to_numeric(clean[name]) for name in NUMBERS})

    return turn
