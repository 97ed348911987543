"""A small city as the model sees it: prices that follow area, floor and location, and a recipe of few trees."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from homei import params
from homei.features.columns import month_of, numeric_inputs
from homei.model.recipe import Recipe


@pytest.fixture(scope="session")
def sections() -> SimpleNamespace:
    """All sections of params.yaml, for the demo city."""
    return params.check(yaml.safe_load(params.compose(["source=demo"])))


@pytest.fixture(scope="session")
def ready(sections):
    """Makes a table READY of thirty months, in random order within them; `noise` is the σ of log price."""

    def make(count: int = 2400, noise: float = 0.1, seed: int = 3) -> pd.DataFrame:
        draw = np.random.default_rng(seed)
        features = {name: draw.normal(size=count) for name in numeric_inputs(sections.source, sections.features)}
        floor, area = draw.integers(0, 9, count).astype(float), np.round(draw.uniform(30, 200, count), 1)
        location = draw.choice(["harbour", "hill", "station"], count)
        floor[draw.random(count) < 0.1] = np.nan
        own = {
            "transaction_id": [f"T{number}" for number in range(count)],
            "month": month_of(sections.source.as_of) - 29 + np.arange(count) * 30 // count,
            "square_meters": area,
            "property_type": draw.choice(["flat", "house"], count),
            "location": location,
            "year_built": 1950.0 + draw.integers(0, 70, count),
            "floor": floor,
            "comparable_distance": 0.3,
            "alike_distance": 0.1,
            "market_level": np.round(8 + 0.003 * (np.arange(count) * 30 // count), 6),
        }
        level = own["market_level"] + 0.02 * np.nan_to_num(floor, nan=4.0) + 0.25 * (location == "harbour")
        return pd.DataFrame(
            {**features, **own, "price": np.round(area * np.exp(level + draw.normal(0, noise, count)), 2)}
        )

    return make


@pytest.fixture(scope="session")
def recipe(sections) -> Recipe:
    """The project's own recipe, with trees few and small enough for a test."""
    own = Recipe.of(sections.seed, sections.source, sections.features, sections.model, sections.train)
    return own.with_parameters(n_estimators=25, learning_rate=0.2, num_leaves=15, colsample_bytree=0.4, subsample=0.7)
