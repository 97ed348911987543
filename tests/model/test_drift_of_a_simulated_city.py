"""Drift from the simulator to the verdict, through the stages themselves: the districts of the truth, and no other."""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from homei import lake, params
from homei.demo import simulate
from homei.features import build
from homei.model import drift, train
from homei.model.recipe import Recipe, before_and_held
from homei.quality import validate
from homei.sources import ingest

GROUPS = Path(__file__).parents[2] / "params"


class Town(NamedTuple):
    """What the simulator drew and what drift was found, in a fifth of the demo city, and the tables between them."""

    truth: dict[str, Any]
    found: dict[str, Any]
    sales: pd.DataFrame
    predictions: pd.DataFrame


@pytest.fixture(scope="module")
def town(spark, local_spark, tmp_path_factory):
    """Makes towns, each in a folder of its own: simulate, ingest, validate, features, train, drift."""

    def make(**changes) -> Town:
        own = params.check(params.yaml.safe_load(params.compose(["source=demo", "model=lightgbm"], GROUPS)))
        shift = own.simulate.shift.model_copy(update=changes)
        fewer = own.simulate.model_copy(update={"properties": 4_000, "sales": 10_000, "shift": shift})
        with contextlib.chdir(tmp_path_factory.mktemp("town")):
            simulate.run(own.seed, fewer, own.source)
            for table in ("sales", "places"):
                ingest.run(table, own.source)
            validate.run(own.source, own.validate)
            build.run(own.source, local_spark, own.features)
            sales = lake.read(lake.READY)
            recipe = Recipe.of(own.seed, own.source, own.features, own.model, own.train)
            few_trees = recipe.with_parameters(n_estimators=80, learning_rate=0.1)
            predictions = train.fit(sales, few_trees, own.source, own.split, own.intervals, "town").predictions
            found = drift.detect(sales, predictions, own.source, own.split, own.drift, own.seed).summary
            return Town(lake.read_json(Path(own.source.folder) / "truth/city.json"), found, sales, predictions)

    return make


@pytest.fixture(scope="module")
def shifted(town):
    return town()


@pytest.fixture(scope="module")
def calm(town):
    return town(change=0.0)


def test_the_districts_that_shifted_are_found_and_no_others(shifted):
    assert shifted.found["drifted"] is True
    assert len(shifted.truth["shifted_districts"]) == 2
    assert sorted(shifted.found["shifted_locations"]) == shifted.truth["shifted_districts"]
