"""Each kind of model behind the protocol: the planted input is the third; some values are unknown."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from homei.model import estimators
from homei.model.preprocess import Encoder

PARAMETERS = {
    "lightgbm": {"n_estimators": 30, "min_child_samples": 5, "subsample": 0.7, "subsample_freq": 1},
    "hist_gradient_boosting": {"max_iter": 30, "max_features": 0.6},
    "gradient_boosting": {"n_estimators": 30, "max_features": 0.9, "subsample": 0.7},
    "linear": {"alpha": 1.0},
}
ENCODER = Encoder(("a", "b", "told", "d"), {"location": ("hill", "port", "station")})
KINDS = pytest.mark.parametrize("kind", PARAMETERS)


@pytest.fixture(scope="module")
def data():
    """A matrix as the encoder makes it (four numbers, four derived, one code), and a target of the third column."""
    draw = np.random.default_rng(5)
    matrix = draw.normal(size=(600, len(ENCODER.names)))
    matrix[:, -1] = draw.integers(0, 3, 600)
    target = matrix[:, 2] + 0.1 * draw.normal(size=600)
    matrix[draw.random(matrix.shape) < 0.05] = np.nan
    return matrix, target


def fitted(kind, data, seed=1):
    estimator = estimators.create(kind, PARAMETERS[kind], ENCODER, seed)
    estimator.fit(*data, weight=np.linspace(0.5, 1, len(data[1])))
    return estimator


@KINDS
def test_it_learns_although_values_are_unknown(kind, data):
    matrix, target = data
    error = np.abs(fitted(kind, data).predict(matrix) - target)
    assert np.median(error) < 0.5 * np.median(np.abs(target - np.median(target)))


@KINDS
def test_one_row_is_valued_as_in_a_table_bit_for_bit(kind, data):
    matrix, _ = data
    estimator = fitted(kind, data)
    whole = estimator.predict(matrix)
    assert all(estimator.predict(matrix[row : row + 1])[0] == whole[row] for row in range(0, 600, 17))


@KINDS
def test_a_category_never_seen_is_no_error(kind, data):
    matrix, _ = data
    unseen = matrix[:5].copy()
    unseen[:, -1] = np.nan
    assert np.isfinite(fitted(kind, data).predict(unseen)).all()


@KINDS
def test_two_fits_leave_the_same_bytes_and_load_as_they_were(kind, data, tmp_path):
    matrix, _ = data
    files = []
    for attempt in ("first", "second"):
        estimator = fitted(kind, data)
        (tmp_path / attempt).mkdir()
        files.append(tmp_path / attempt / estimator.file)
        estimator.save(files[-1])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert estimators.load(files[0]).predict(matrix).tobytes() == estimator.predict(matrix).tobytes()


def test_models_learnt_side_by_side_are_those_learnt_one_by_one(data):
    matrix, _ = data
    seeds = range(6)
    with ThreadPoolExecutor(3) as pool:
        beside = list(pool.map(lambda seed: fitted("lightgbm", data, seed).predict(matrix), seeds))
    assert [found.tobytes() for found in beside] == [
        fitted("lightgbm", data, seed).predict(matrix).tobytes() for seed in seeds
    ]


@KINDS
def test_importances_are_shares_and_the_planted_input_has_the_most(kind, data):
    shares = fitted(kind, data).importances(*data)
    assert len(shares) == len(ENCODER.names)
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    assert ENCODER.names[int(np.argmax(shares))] == "told"


@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
def test_contributions_and_their_mean_make_the_prediction(kind, data, tmp_path):
    matrix, target = data
    estimator = fitted(kind, data)
    told = estimator.contributions(matrix)
    assert told.shape == (len(matrix), len(ENCODER.names) + 1)
    assert np.allclose(told.sum(axis=1), estimator.predict(matrix), rtol=0, atol=1e-9)
    assert ENCODER.names[int(np.argmax(np.abs(told[:, :-1]).mean(axis=0)))] == "told"
    assert np.allclose(told[:, -1], np.nanmean(target), atol=0.1)
    assert np.allclose(told[:, :-1].mean(axis=0), 0, atol=1e-9 if kind == "linear" else 0.1)
    estimator.save(tmp_path / estimator.file)
    assert estimators.load(tmp_path / estimator.file).contributions(matrix).tobytes() == told.tobytes()


@pytest.mark.parametrize("kind", ["hist_gradient_boosting", "gradient_boosting"])
def test_a_kind_that_tells_no_contributions_names_those_that_do(kind, data):
    with pytest.raises(estimators.UnexplainedError, match="lightgbm and linear models do"):
        fitted(kind, data).contributions(data[0])
