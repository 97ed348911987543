"""The kinds of model behind one small protocol: LightGBM, and scikit-learn's as pipelines over the same matrix."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from homei.model.forests import Forest
from homei.model.preprocess import Encoder

if TYPE_CHECKING:
    from homei.model.single_rows import SingleRows

MOST_CODES = 254  # that scikit-learn's histograms can tell apart
MANY = 6  # rows, from which on tables are quicker than trees
SAMPLE = 2_000  # rows on which importances are measured by permutation

Parameters = Mapping[str, int | float | str | bool]


class UnexplainedError(TypeError):
    """A kind of model that doesn't tell what each input contributes; the message names those that do."""


class Estimator(Protocol):
    """What fits and predicts; `file` is the name under which it is kept."""

    file: str

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None: ...

    def predict(self, matrix: np.ndarray) -> np.ndarray: ...

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Each input's share, all together 1, of what the model explains."""
        ...

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each input adds to each row's prediction, and in the last column the mean that they are added to."""
        ...

    def save(self, path: Path) -> None: ...


class LightGBM:
    """Boosted trees on histograms, without LightGBM's scikit-learn wrapper, which makes a single row slow."""

    file = "model.txt"

    def __init__(self, parameters: Parameters, encoder: Encoder | None, seed: int) -> None:
        own = dict(parameters)
        self._rounds = int(own.pop("n_estimators", 100))
        steady = {"deterministic": True, "force_row_wise": True, "seed": seed, "num_threads": 1, "verbosity": -1}
        self._parameters = {"objective": "regression", **own, **steady}
        self._encoder = encoder
        self._booster: Any = None
        self._forest: Forest | None = None
        self._single: SingleRows | None = None

    @classmethod
    def load(cls, path: Path) -> LightGBM:
        """The model of a text file, for predictions only."""
        lightgbm = _lightgbm()
        from homei.model.single_rows import SingleRows

        loaded = cls({}, None, seed=0)
        loaded._booster = lightgbm.Booster(model_file=str(path))
        loaded._forest = Forest.read(path.read_text(encoding="utf-8"))
        loaded._single = SingleRows(loaded._booster)
        return loaded

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None:
        lightgbm = _lightgbm()
        data = lightgbm.Dataset(
            matrix,
            target,
            weight=weight,
            # LightGBM refuses JSON's special characters in names.
            feature_name=[re.sub(r"\W", "_", name) for name in self._encoder.names],
            categorical_feature=self._encoder.categorical,
            params={"verbosity": -1, "num_threads": 1},
        )
        self._booster = lightgbm.train(self._parameters, data, self._rounds)

    def predict(self, matrix: np.ndarray, rounds: int | None = None) -> np.ndarray:
        """What all trees say, or the first `rounds` of them."""
        few = len(matrix) < MANY
        if rounds is None and few and self._single:
            return self._single.predict(matrix)
        if rounds is None and not few and self._forest:
            return self._forest.predict(matrix)
        return self._booster.predict(matrix, num_iteration=rounds, num_threads=1)

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        return _shares(self._booster.feature_importance("gain"))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        return self._booster.predict(matrix, pred_contrib=True, num_threads=1)

    def save(self, path: Path) -> None:
        path.write_text(self._booster.model_to_string(), encoding="utf-8", newline="\n")


class Pipeline:
    """A scikit-learn pipeline, kept by joblib: loading one runs code, so its file is hashed before."""

    file = "model.joblib"

    def __init__(self, pipeline: Any, seed: int) -> None:
        self._pipeline = pipeline
        self._seed = seed

    @classmethod
    def load(cls, path: Path) -> Pipeline:
        """The model of a joblib file."""
        import joblib

        return cls(joblib.load(path), seed=0)

    def fit(self, matrix: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> None:
        last = self._pipeline.steps[-1][0]
        self._pipeline.fit(matrix, target, **{f"{last}__sample_weight": weight})

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        if not hasattr(self._pipeline[-1], "coef_"):
            return self._pipeline.predict(matrix)
        # A product by BLAS depends in its last bits on how many rows there are; a sum along each row doesn't.
        prepared = np.ascontiguousarray(self._pipeline[:-1].transform(matrix))
        return (prepared * self._pipeline[-1].coef_).sum(axis=1) + self._pipeline[-1].intercept_

    def importances(self, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
        """By how much the squared error grows when an input's values are shuffled among a sample of the rows."""
        random = np.random.default_rng(self._seed)
        drawn = random.permutation(len(matrix))[:SAMPLE]
        rows, truth = matrix[drawn], target[drawn]
        growth = []
        for place in range(matrix.shape[1]):
            shuffled = rows.copy()
            shuffled[:, place] = random.permutation(rows[:, place])
            growth.append(np.mean((self.predict(shuffled) - truth) ** 2))
        return _shares(np.maximum(np.array(growth) - np.mean((self.predict(rows) - truth) ** 2), 0))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Exact for a linear model, whose prepared columns are centred; raises UnexplainedError for any other."""
        last = self._pipeline[-1]
        if not hasattr(last, "coef_"):
            kind = type(last).__name__
            raise UnexplainedError(f"a {kind} doesn't tell what each input contributes: lightgbm and linear models do")
        products = self._pipeline[:-1].transform(matrix) * last.coef_
        added = np.add.reduceat(products, _first_columns(self._pipeline[0]), axis=1)
        return np.column_stack([added, np.full(len(matrix), last.intercept_)])

    def save(self, path: Path) -> None:
        import joblib

        joblib.dump(self._pipeline, path)


def create(name: str, parameters: Parameters, encoder: Encoder, seed: int) -> Estimator:
    """A fresh estimator of a kind (a name of `KINDS`) for the encoder's matrix."""
    if name == "lightgbm":
        return LightGBM(parameters, encoder, seed)
    _one_thread_a_fit()
    return Pipeline(KINDS[name](dict(parameters), encoder, seed), seed)


def load(path: Path) -> Estimator:
    """The estimator that a file holds; its name tells the kind. The caller vouches for its bytes."""
    return (LightGBM if path.name == LightGBM.file else Pipeline).load(path)


def _hist_gradient_boosting(parameters: dict[str, Any], encoder: Encoder, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    sizes = zip(encoder.categorical, encoder.categories.values(), strict=True)
    few = [place for place, values in sizes if len(values) <= MOST_CODES]
    return make_pipeline(
        HistGradientBoostingRegressor(**parameters, categorical_features=few, early_stopping=False, random_state=seed)
    )


def _gradient_boosting(parameters: dict[str, Any], encoder: Encoder, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    # Trees can set "unknown" apart when it is a value that nothing else has.
    unknown = SimpleImputer(strategy="constant", fill_value=-1e6, keep_empty_features=True)
    return make_pipeline(unknown, GradientBoostingRegressor(**parameters, random_state=seed))


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
        StandardScaler(with_std=False),  # so that a coefficient's product is what a home adds to the mean
    )
    first = len(encoder.names) - len(encoder.categories)
    columns = make_column_transformer((numbers, list(range(first))), (codes, encoder.categorical))
    return make_pipeline(columns, Ridge(**parameters))


KINDS = {
    "hist_gradient_boosting": _hist_gradient_boosting,
    "gradient_boosting": _gradient_boosting,
    "linear": _linear,
}


def _first_columns(prepared: Any) -> np.ndarray:
    """Where each input's columns begin in what the linear kind's transformer makes of a matrix."""
    (_, _, numbers), (_, codes, _) = prepared.transformers_
    widths = [1] * len(numbers) + [len(values) for values in codes["onehotencoder"].categories_]
    return np.concatenate([[0], np.cumsum(widths)[:-1]])


def _lightgbm() -> Any:
    _one_thread_a_fit()
    import lightgbm

    return lightgbm


def _one_thread_a_fit() -> None:
    """Models are learnt side by side instead: threads inside a fit wait for each other hundreds of times a second.

    On 2 cores a fit took 2.2 s in one thread and 1.4 s in two, but 50 s in two where another process kept a core busy.
    OpenMP reads this once, when the first library that uses it is loaded.
    """
    os.environ["OMP_NUM_THREADS"] = "1"


def _shares(sizes: np.ndarray) -> np.ndarray:
    total = sizes.sum()
    return np.round(sizes / total, 6) if total > 0 else np.zeros(len(sizes))
