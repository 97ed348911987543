import json

import numpy as np
import pytest

from homei.model.preprocess import columns_of
from homei.model.train import fit
from homei.model.valuation import Valuation, ValuationError


@pytest.fixture(scope="module", params=["lightgbm", "linear"])
def valuation(request, sections, recipe, ready):
    """Of both ways to be kept: as LightGBM's text, and by joblib."""
    own = recipe if request.param == "lightgbm" else recipe.linear()
    few = sections.intervals.model_copy(update={"folds": 2})
    return fit(ready(), own, sections.source, sections.split, few, sections.scope, "data").valuation


@pytest.fixture
def kept(valuation, tmp_path):
    valuation.save(tmp_path / "model")
    return tmp_path / "model"


def values(valuation, sales):
    return np.array(valuation.value(columns_of(sales))[:4])


def test_it_values_as_before_when_it_is_loaded(valuation, kept, ready):
    sales = ready(200, seed=8)
    assert values(Valuation.load(kept), sales).tobytes() == values(valuation, sales).tobytes()


def test_one_home_is_valued_as_in_a_table_bit_for_bit(valuation, ready):
    sales = ready(200, seed=8)
    whole = values(valuation, sales)
    assert all(values(valuation, sales[row : row + 1])[:, 0].tolist() == whole[:, row].tolist() for row in range(200))


def test_prices_lie_within_their_intervals_and_both_are_in_cents(valuation, ready):
    price, low, high, deviation = values(valuation, ready(200, seed=8))
    assert (low < price).all()
    assert (price < high).all()
    assert (deviation > 0).all()
    assert np.array_equal(np.round([price, low, high], 2), [price, low, high])


def test_without_a_market_level_there_is_no_value(valuation, ready):
    sales = ready(10).assign(market_level=np.nan)
    assert np.isnan(values(valuation, sales)[0]).all()


def test_its_version_is_that_of_its_contents(valuation, kept, tmp_path, sections, recipe, ready):
    assert Valuation.load(kept).version == valuation.save(tmp_path / "again").version
    few = sections.intervals.model_copy(update={"folds": 2})
    other = fit(ready(seed=9), recipe, sections.source, sections.split, few, sections.scope, "data").valuation
    assert other.save(tmp_path / "other").version != Valuation.load(kept).version


def test_a_changed_or_missing_file_is_an_error_that_names_it(kept):
    for path in sorted(path for path in kept.iterdir() if path.name != "meta.json"):
        before = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([before[0] ^ 1]) + before[1:])
        with pytest.raises(ValuationError, match=rf"{path.name} was changed"):
            Valuation.load(kept)
        path.unlink()
        with pytest.raises(ValuationError, match=rf"{path.name} is not there"):
            Valuation.load(kept)
        path.write_bytes(before)
    (kept / "meta.json").unlink()
    with pytest.raises(ValuationError, match=r"meta\.json is not there"):
        Valuation.load(kept)


def test_a_model_file_that_was_not_recorded_is_never_opened(kept):
    """A joblib file runs code as it is loaded: one that somebody put there must not be."""
    meta = json.loads((kept / "meta.json").read_text())
    for name in ("model.txt", "model.joblib"):
        if name not in meta["files"]:
            (kept / name).write_bytes(b"\x80\x04cos\nabort\n(tR.")
    assert Valuation.load(kept).meta["files"] == meta["files"]
    meta["files"] = {name: digest for name, digest in meta["files"].items() if not name.startswith("model")}
    (kept / "meta.json").chmod(0o644)
    (kept / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(ValuationError, match="model"):
        Valuation.load(kept)
