import json

import numpy as np
import pytest

from homei.training.encoding import columns_of
from homei.training.train import train_models
from homei.training.valuation_model import ModelFileError, ValuationModel


@pytest.fixture(scope="module", params=["lightgbm", "linear"])
def valuation(request, two_folds, recipe, ready):
    """A model of each file format: LightGBM's text, and joblib."""
    own = recipe if request.param == "lightgbm" else recipe.linear()
    return train_models(ready(), own, two_folds, "data").valuation


@pytest.fixture
def kept(valuation, tmp_path):
    valuation.save(tmp_path / "model")
    return tmp_path / "model"


def values(valuation, sales):
    return np.array(valuation.value(columns_of(sales))[:4])


def test_a_loaded_model_gives_the_same_values(valuation, kept, ready):
    sales = ready(200, seed=8)
    assert values(ValuationModel.load(kept), sales).tobytes() == values(valuation, sales).tobytes()


def test_a_single_property_is_valued_as_in_a_batch(valuation, ready):
    sales = ready(200, seed=8)
    whole = values(valuation, sales)
    assert all(values(valuation, sales[row : row + 1])[:, 0].tolist() == whole[:, row].tolist() for row in range(200))


def test_values_lie_within_their_intervals_and_are_in_cents(valuation, ready):
    price, low, high, deviation = values(valuation, ready(200, seed=8))
    assert (low < price).all()
    assert (price < high).all()
    assert (deviation > 0).all()
    assert np.array_equal(np.round([price, low, high], 2), [price, low, high])


def test_without_a_market_level_there_is_no_value(valuation, ready):
    sales = ready(10).assign(market_level=np.nan)
    assert np.isnan(values(valuation, sales)[0]).all()


def test_the_version_is_a_digest_of_the_contents(valuation, kept, tmp_path, two_folds, recipe, ready):
    assert ValuationModel.load(kept).version == valuation.save(tmp_path / "again").version
    other = train_models(ready(seed=9), recipe, two_folds, "data").valuation
    assert other.save(tmp_path / "other").version != ValuationModel.load(kept).version


def test_the_error_for_a_changed_or_missing_file_names_it(kept):
    for path in sorted(path for path in kept.iterdir() if path.name != "meta.json"):
        before = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([before[0] ^ 1]) + before[1:])
        with pytest.raises(ModelFileError, match=rf"{path.name} was changed"):
            ValuationModel.load(kept)
        path.unlink()
        with pytest.raises(ModelFileError, match=rf"{path.name} does not exist"):
            ValuationModel.load(kept)
        path.write_bytes(before)
    (kept / "meta.json").unlink()
    with pytest.raises(ModelFileError, match=r"meta\.json does not exist"):
        ValuationModel.load(kept)


def test_an_unrecorded_model_file_is_never_opened(kept):
    """Loading a joblib file executes code, so an added file must not be loaded."""
    meta = json.loads((kept / "meta.json").read_text())
    for name in ("model.txt", "model.joblib"):
        if name not in meta["files"]:
            (kept / name).write_bytes(b"\x80\x04cos\nabort\n(tR.")
    assert ValuationModel.load(kept).meta["files"] == meta["files"]
    meta["files"] = {name: digest for name, digest in meta["files"].items() if not name.startswith("model")}
    (kept / "meta.json").chmod(0o644)
    (kept / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(ModelFileError, match="model"):
        ValuationModel.load(kept)
