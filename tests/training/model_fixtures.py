"""A small training set whose prices follow area, floor and location, and a recipe of few trees."""

import contextlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from sample_sales import sample_sales

from homei.config import params
from homei.evaluation.config import Bands
from homei.registry import package
from homei.registry.champions import git
from homei.registry.config import PromoteConfig
from homei.registry.promote import promote
from homei.storage import lake
from homei.training.training_recipe import Recipe


@pytest.fixture(scope="session")
def sections() -> SimpleNamespace:
    """All sections of params.yaml, for the demo city."""
    return params.check(yaml.safe_load(params.compose(["city=demo"])))


def changed(sections: SimpleNamespace, **changes: dict) -> SimpleNamespace:
    """The sections with other values of some parameters, by section."""
    updated = {name: getattr(sections, name).model_copy(update=values) for name, values in changes.items()}
    return SimpleNamespace(**vars(sections) | updated)


@pytest.fixture(scope="session")
def two_folds(sections) -> SimpleNamespace:
    """All sections, with two folds that calibrate intervals, for quick tests."""
    return changed(sections, intervals={"folds": 2})


@pytest.fixture(scope="session")
def ready(sections):
    """Makes a training set; `noise` is the standard deviation of the log price."""

    def make(count: int = 2400, noise: float = 0.1, seed: int = 3) -> pd.DataFrame:
        return sample_sales(sections, count, noise, seed)

    return make


@pytest.fixture(scope="session")
def recipe(sections) -> Recipe:
    """The project's own recipe, with trees few and small enough for a test."""
    # In the sales of `ready`, previous sales are noise.
    excluded = [*sections.train.excluded_features, "previous_*"]
    own = Recipe.from_config(changed(sections, train={"excluded_features": excluded}))
    return own.with_parameters(n_estimators=25, learning_rate=0.2, num_leaves=15, colsample_bytree=0.4, subsample=0.7)


def new_registry() -> None:
    """Puts the current folder under git and DVC, with the stages that a challenger comes out of."""
    outs = {
        "evaluate": ["models/valuation", "data/processed/predictions", "reports/evaluation/metrics.json"],
        "package": ["models/bento.json"],
    }
    stages = {name: {"cmd": "true", "outs": paths} for name, paths in outs.items()}
    artifacts = {"valuation": {"path": "models/valuation", "type": "model"}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"artifacts": artifacts, "stages": stages}))
    Path(".gitignore").write_text("/data\n/models\n/reports\n/registry/champion\n/.dvc/cache\n")
    git("init", "--quiet")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    Repo.init().close()


def build_challenger(
    error: float, code: str = "code", months: tuple[int, int] = (1, 9), fails: str = "", first: int = 0
) -> Path:
    """Builds and commits a model with that error and failed verdict, and returns its Bento's folder.

    As far as dvc.lock tells, its stages have run; the sales of its hold-out are numbered from `first`.
    """
    store = package.bento_folder(f"valuation:{code}")
    draw = np.random.default_rng(first)
    price, noise = np.exp(draw.normal(12, 0.3, 300)), draw.normal(0, 1, 300)
    identities = [f"T{first + number:04d}" for number in range(300)]
    holdout = pd.DataFrame({"transaction_id": identities, "month": months[1], "price": price})
    holdout = holdout.assign(predicted=price * np.exp(error * noise), part="hold_out")
    lake.write(holdout, lake.PREDICTIONS)
    names = [*Bands.model_fields, "coverage", "better_than_naive", "better_than_linear"]
    verdicts = [{"name": name, "ok": name != fails, "text": f"About {name}."} for name in names]
    study = {"mdape": float(np.median(np.abs(holdout["predicted"] / price - 1)))}
    metrics = {"source": "town", "out_of_time": study, "intervals": {}, "verdicts": verdicts}
    lake.write_json(metrics, Path("reports/evaluation/metrics.json"))
    for folder in (Path("models/valuation"), store / "src" / "valuation"):
        lake.write_json({"name": "town", "months": months, "error": error}, folder / "meta.json")
    lake.write_text(f"{code}\n", store / "src" / "homei" / "serve.py")
    package._write_record(f"valuation:{code}", {"model_version": code, "data_version": "d", "as_of": "2021-12-31"})
    with Repo() as repo:
        repo.commit(force=True)
    git("add", ".")
    git("commit", "--quiet", "--allow-empty", "--message", f"A model that errs by {error}")
    return store


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory) -> Path:
    """A project under git and DVC without a model; not to be written to."""
    folder = tmp_path_factory.mktemp("registry")
    with contextlib.chdir(folder):
        new_registry()
    return folder


@pytest.fixture
def challenger(empty_registry, tmp_path, monkeypatch):
    """Builds and commits a challenger in the current folder, an empty project under git and DVC."""
    shutil.copytree(empty_registry, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return build_challenger


@pytest.fixture(scope="session")
def promoted(empty_registry, tmp_path_factory):
    """A project with three champions, each better than the last, and the Bento's folder of each version."""
    settings = PromoteConfig(draws=400, confidence=0.95, min_sales=100)
    folder, bentos = tmp_path_factory.mktemp("promoted"), {}
    shutil.copytree(empty_registry, folder, symlinks=True, dirs_exist_ok=True)
    with contextlib.chdir(folder):
        for code, error in {"first": 0.4, "second": 0.2, "third": 0.1}.items():
            store = build_challenger(error, code)
            bentos[promote(settings, 1)["version"]] = folder / store
    return folder, bentos
