"""The demo's own source, and simulations of it that are small enough for a test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.demo.simulate import run
from homei.demo.synthetic_register import SimulatedCity, draw_city

GROUPS = Path(__file__).parents[2] / "params"
NUMBERS = ["price", "square_meters", "bedrooms", "bathrooms", "floor", "year_built", "latitude", "longitude"]


@pytest.fixture(scope="session")
def small():
    """A function: the project's `simulate` section with 500 properties, 1,500 sales and changes."""
    own = yaml.safe_load((GROUPS / "config.yaml").read_text())["simulate"]

    def make(**changes):
        return params.section("simulate", own | {"properties": 500, "sales": 1500} | changes)

    return make


@pytest.fixture(scope="session")
def register(demo_city, small):
    """Makes the rows of a small city's register, as strings, with true_price, fault and non_market."""

    def make(seed: int = 1, **changes) -> pd.DataFrame:
        return draw_city(seed, small(**changes), demo_city)[1]

    return make


@pytest.fixture(scope="session")
def as_numbers():
    """Turns the number columns of clean rows, whose price is the market's, into numbers."""

    def turn(rows: pd.DataFrame) -> pd.DataFrame:
        clean = rows[rows["fault"].isna() & rows["non_market"].isna()]
        return clean.assign(**{name: pd.to_numeric(clean[name]) for name in NUMBERS})

    return turn


@pytest.fixture(scope="session")
def market_town(small, demo_city) -> tuple[SimulatedCity, pd.DataFrame]:
    """A town with enough sales for each non_market and every outsider, and its register."""
    return draw_city(11, small(properties=2400, sales=6000, districts=8), demo_city)


@pytest.fixture(scope="session")
def town(market_town) -> SimulatedCity:
    return market_town[0]


@pytest.fixture(scope="session")
def world(small, demo_source, tmp_path_factory) -> Path:
    """The folder that the stage writes for the town; not to be written to."""
    folder = tmp_path_factory.mktemp("demo")
    own = demo_source.city.model_copy(update={"folder": str(folder)})
    run(11, small(properties=2400, sales=6000, districts=8), own, demo_source.feeds)
    return folder / "world"
