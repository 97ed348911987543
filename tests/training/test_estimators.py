"""Each estimator on data whose target depends on the third input, with some values unknown."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from homei.training import estimators
from homei.training.encoding import Encoder

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
    """An encoded matrix (four numbers, four derived inputs, one code), and a target of the third column."""
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
def test_an_estimator_learns_despite_unknown_values(kind, data):
    matrix, target = data
    error = np.abs(fitted(kind, data).predict(matrix) - target)
    assert np.median(error) < 0.5 * np.median(np.abs(target - np.median(target)))


@KINDS
def test_a_single_row_is_predicted_as_in_a_batch(kind, data):
    matrix, _ = data
    estimator = fitted(kind, data)
    whole = estimator.predict(matrix)
    assert all(estimator.predict(matrix[row : row + 1])[0] == whole[row] for row in range(0, 600, 17))


@KINDS
def test_a_new_category_is_accepted(kind, data):
    matrix, _ = data
    unseen = matrix[:5].copy()
    unseen[:, -1] = np.nan
    assert np.isfinite(fitted(kind, data).predict(unseen)).all()


@KINDS
def test_repeated_fits_have_the_same_bytes_and_load_unchanged(kind, data, tmp_path):
    matrix, _ = data
    files = []
    for attempt in ("first", "second"):
        estimator = fitted(kind, data)
        (tmp_path / attempt).mkdir()
        files.append(tmp_path / attempt / estimator.file)
        estimator.save(files[-1])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert estimators.load(files[0]).predict(matrix).tobytes() == estimator.predict(matrix).tobytes()


def test_models_trained_in_parallel_equal_those_trained_sequentially(data):
    matrix, _ = data
    seeds = range(6)
    with ThreadPoolExecutor(3) as pool:
        beside = list(pool.map(lambda seed: fitted("lightgbm", data, seed).predict(matrix), seeds))
    assert [result.tobytes() for result in beside] == [
        fitted("lightgbm", data, seed).predict(matrix).tobytes() for seed in seeds
    ]


def test_fits_with_equal_threads_have_equal_bytes_and_other_threads_change_last_digits_at_most(data, tmp_path):
    matrix, target = (np.concatenate([part] * 20) for part in data)

    def saved(threads):
        estimator = estimators.create("lightgbm", PARAMETERS["lightgbm"], ENCODER, 1, threads)
        estimator.fit(matrix, target)
        estimator.save(tmp_path / "model.txt")
        return (tmp_path / "model.txt").read_bytes(), estimator.predict(matrix)

    (one, of_one), (three, of_three) = saved(1), saved(3)
    assert saved(3)[0] == three
    assert b"[num_threads: 3]" in three
    assert b"[num_threads: 1]" in one
    assert of_three == pytest.approx(of_one, abs=1e-9)


@KINDS
def test_importances_are_shares_and_largest_for_the_relevant_input(kind, data):
    shares = fitted(kind, data).importances(*data)
    assert len(shares) == len(ENCODER.names)
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    assert ENCODER.names[int(np.argmax(shares))] == "told"


@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
def test_contributions_and_mean_equal_the_prediction(kind, data, tmp_path):
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
def test_the_error_without_contributions_names_models_with_them(kind, data):
    with pytest.raises(estimators.UnexplainedError, match="use model lightgbm or linear"):
        fitted(kind, data).contributions(data[0])
