"""Estimators with one protocol: LightGBM, and scikit-learn pipelines, on the same encoded matrix."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from homei.training.encoding import Encoder
from homei.training.tree_tables import TreeTables

MAX_CATEGORIES = 254  # of a categorical input in scikit-learn's histograms
IMPORTANCE_SAMPLE = 2_000  # rows for permutation importance

Parameters = Mapping[str, int | float | str | bool]


class UnexplainedError(TypeError):
    """An estimator without contributions; the message names those with them."""


class Estimator(Protocol):
    """An estimator of the log value; `file` is its file name in a model's folder."""

    file: str

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None: ...

    def predict(self, matrix: np.ndarray) -> np.ndarray: ...

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Each input's share of what the model explains; the shares sum to 1."""
        ...

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Each input's effect on each row's prediction, and in the last column the mean they are added to."""
        ...

    def save(self, path: Path) -> None: ...


class LightGBM:
    """LightGBM by its native API: the scikit-learn wrapper is slow for single rows."""

    file = "model.txt"

    def __init__(self, parameters: Parameters, encoder: Encoder | None, seed: int, threads: int = 1) -> None:
        parameters = dict(parameters)
        self._rounds = int(parameters.pop("n_estimators", 100))
        repeatable = {
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "num_threads": threads,
            "verbosity": -1,
        }
        self._parameters = {"objective": "regression", **parameters, **repeatable}
        self._encoder = encoder
        self._booster: Any = None
        self._tables: TreeTables | None = None

    @classmethod
    def load(cls, path: Path) -> LightGBM:
        """The model in a text file, for prediction only."""
        lightgbm = _lightgbm()
        loaded = cls({}, None, seed=0)
        loaded._booster = lightgbm.Booster(model_file=str(path))
        loaded._tables = TreeTables.read(path.read_text(encoding="utf-8"))
        return loaded

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None:
        lightgbm = _lightgbm()
        data = lightgbm.Dataset(
            matrix,
            target,
            weight=weight,
            # LightGBM rejects JSON's special characters in names.
            feature_name=[re.sub(r"\W", "_", name) for name in self._encoder.names],
            categorical_feature=self._encoder.categorical,
            params={"verbosity": -1, "num_threads": self._parameters["num_threads"]},
        )
        self._booster = lightgbm.train(self._parameters, data, self._rounds)

    def predict(self, matrix: np.ndarray, rounds: int | None = None) -> np.ndarray:
        """Predictions of all trees, or of the first `rounds` trees."""
        if rounds is None and self._tables:
            return self._tables.predict(matrix)
        return self._booster.predict(matrix, num_iteration=rounds, num_threads=1)

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        return _shares(self._booster.feature_importance("gain"))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        return self._booster.predict(matrix, pred_contrib=True, num_threads=1)

    def save(self, path: Path) -> None:
        path.write_text(self._booster.model_to_string(), encoding="utf-8", newline="\n")


class Pipeline:
    """A scikit-learn pipeline, saved by joblib; loading executes code, so its hash is checked before."""

    file = "model.joblib"

    def __init__(self, pipeline: Any, seed: int) -> None:
        self._pipeline = pipeline
        self._seed = seed

    @classmethod
    def load(cls, path: Path) -> Pipeline:
        """The model in a joblib file."""
        import joblib

        return cls(joblib.load(path), seed=0)

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None:
        name = self._pipeline.steps[-1][0]
        self._pipeline.fit(matrix, target, **{f"{name}__sample_weight": weight})

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        if not hasattr(self._pipeline[-1], "coef_"):
            return self._pipeline.predict(matrix)
        # The last bits of a BLAS product depend on the number of rows; those of a sum along each row do not.
        prepared = np.ascontiguousarray(self._pipeline[:-1].transform(matrix))
        return (prepared * self._pipeline[-1].coef_).sum(axis=1) + self._pipeline[-1].intercept_

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Permutation importance: the growth of the squared error when an input is shuffled in a sample."""
        random = np.random.default_rng(self._seed)
        sample = random.permutation(len(matrix))[:IMPORTANCE_SAMPLE]
        rows, truth = matrix[sample], target[sample]
        growth = []
        for position in range(matrix.shape[1]):
            shuffled = rows.copy()
            shuffled[:, position] = random.permutation(rows[:, position])
            growth.append(np.mean((self.predict(shuffled) - truth) ** 2))
        return _shares(np.maximum(np.array(growth) - np.mean((self.predict(rows) - truth) ** 2), 0))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Exact for a linear model with centred columns; raises UnexplainedError for any other."""
        last = self._pipeline[-1]
        if not hasattr(last, "coef_"):
            name = type(last).__name__
            raise UnexplainedError(f"a {name} has no contributions of inputs: use model lightgbm or linear")
        products = self._pipeline[:-1].transform(matrix) * last.coef_
        effects = np.add.reduceat(products, _first_columns(self._pipeline[0]), axis=1)
        return np.column_stack([effects, np.full(len(matrix), last.intercept_)])

    def save(self, path: Path) -> None:
        import joblib

        joblib.dump(self._pipeline, path)


def create(name: str, parameters: Parameters, encoder: Encoder, seed: int, threads: int = 1) -> Estimator:
    """A new estimator for the encoder's matrix: lightgbm or a name of `PIPELINES`.

    LightGBM uses the threads.
    """
    if name == "lightgbm":
        return LightGBM(parameters, encoder, seed, threads)
    _limit_threads()
    return Pipeline(PIPELINES[name](dict(parameters), encoder, seed), seed)


def load(path: Path) -> Estimator:
    """The estimator in a file, by its name; the caller has checked the file's hash."""
    return (LightGBM if path.name == LightGBM.file else Pipeline).load(path)


def _hist_gradient_boosting(parameters: dict[str, Any], encoder: Encoder, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    categories = zip(encoder.categorical, encoder.categories.values(), strict=True)
    categorical = [position for position, values in categories if len(values) <= MAX_CATEGORIES]
    return make_pipeline(
        HistGradientBoostingRegressor(
            **parameters, categorical_features=categorical, early_stopping=False, random_state=seed
        )
    )


def _gradient_boosting(parameters: dict[str, Any], encoder: Encoder, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    # Trees can separate missing values as a value far from all others.
    imputer = SimpleImputer(strategy="constant", fill_value=-1e6, keep_empty_features=True)
    return make_pipeline(imputer, GradientBoostingRegressor(**parameters, random_state=seed))


def _linear(parameters: dict[str, Any], encoder: Encoder, seed: int) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    codes = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        StandardScaler(with_std=False),  # centred, so that coefficient × column is the effect relative to the mean
    )
    first = len(encoder.names) - len(encoder.categories)
    columns = make_column_transformer((numbers, list(range(first))), (codes, encoder.categorical))
    return make_pipeline(columns, Ridge(**parameters))


PIPELINES = {
    "hist_gradient_boosting": _hist_gradient_boosting,
    "gradient_boosting": _gradient_boosting,
    "linear": _linear,
}


def _first_columns(prepared: Any) -> np.ndarray:
    """The first column of each input in the output of the linear pipeline's transformer."""
    (_, _, numbers), (_, codes, _) = prepared.transformers_
    widths = [1] * len(numbers) + [len(values) for values in codes["onehotencoder"].categories_]
    return np.concatenate([[0], np.cumsum(widths)[:-1]])


def _lightgbm() -> Any:
    _limit_threads()
    import lightgbm

    return lightgbm


def _limit_threads() -> None:
    """Limits each fit to one thread, unless `train.threads` is larger.

    Models are trained in parallel instead. Threads inside a fit wait for each other. If they wait actively, two of them
    took 17 s on 2 busy cores for a fit of 1.3 s in one thread; asleep, 1.4 s. OpenMP reads these variables when the
    first library that uses it is loaded.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _shares(sizes: np.ndarray) -> np.ndarray:
    total = sizes.sum()
    return np.round(sizes / total, 6) if total > 0 else np.zeros(len(sizes))
