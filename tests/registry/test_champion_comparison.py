"""Both models are compared on the same unseen sales; the whole interval of the difference decides."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import homei
from homei.registry import package
from homei.registry.champion_comparison import PromotionError, compare_errors, comparison_rule, prediction_pairs
from homei.registry.config import PromoteConfig
from homei.storage import lake
from homei.training.encoding import columns_of
from homei.training.train import train_models

SETTINGS = PromoteConfig(draws=200, confidence=0.95, min_sales=100)


def pairs(challenger, champion, price):
    frame = pd.DataFrame({"price": price, "challenger": challenger, "champion": champion})
    return frame.assign(month=24000, basis="hold-out")


def wins(challenger, champion, price):
    return comparison_rule(compare_errors(pairs(challenger, champion, price), SETTINGS, 1), "v1.0.0").ok


def sales(seed, size=400):
    draw = np.random.default_rng(seed)
    return np.exp(draw.normal(12, 0.4, size)), draw.normal(0, 0.1, size)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.8))
def test_only_smaller_errors_win(seed, share):
    price, noise = sales(seed)
    better, worse = price * (1 + share * noise), price * (1 + noise)
    assert wins(better, worse, price)
    assert not wins(worse, better, price)
    assert not wins(worse, worse, price)


def test_chance_wins_are_as_rare_as_the_confidence_says():
    price, _ = sales(0)
    other = [sales(seed)[1] for seed in range(1, 201)]
    n_wins = sum(wins(price * (1 + a), price * (1 + b), price) for a, b in zip(other[::2], other[1::2], strict=True))
    # 2.5 of 100 expected: 95 % two-sided, of which one side wins.
    assert n_wins <= 8


def test_pairing_detects_a_small_difference():
    price, noise = sales(5)
    comparison = compare_errors(pairs(price * (1 + 0.93 * noise), price * (1 + noise), price), SETTINGS, 1)
    assert comparison["difference"] < 0
    assert comparison["interval"][1] < 0
    assert comparison["interval"][1] - comparison["interval"][0] < 0.25 * comparison["mdape"]["champion"]


def test_the_sentence_contains_both_errors_and_the_interval():
    price, _ = sales(5)
    rule = comparison_rule(compare_errors(pairs(price * 1.02, price * 1.05, price), SETTINGS, 1), "v1.2.0")
    assert rule.text == (
        "The error is 2.00% against 5.00% of v1.2.0, on 400 sales (hold-out): -3.00 points, "
        "95% interval -3.00 to -3.00: significantly better."
    )


@pytest.fixture(scope="module")
def trained(sections, ready, recipe):
    table = ready(1500)
    return table, train_models(table, recipe, sections, "d")


@pytest.fixture
def champion(trained, sections, tmp_path, monkeypatch):
    """Creates the folder of a champion trained on all sales except those of the last `later` months."""
    monkeypatch.chdir(tmp_path)
    table, result = trained
    lake.write(table, lake.TRAINING_SET)
    code = Path(homei.__file__).parent.parent

    def make(later: int) -> Path:
        last = int(table["month"].max()) - later
        sources = tmp_path / "champion" / "bento" / "src"
        for file in package.import_closure(package.SERVICE, code):
            (sources / file.relative_to(code)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, sources / file.relative_to(code))
        meta = {**result.valuation.meta, "months": [int(table["month"].min()), last]}
        replace(result.valuation, meta=meta).save(sources / "valuation")
        lake.write(result.predictions.assign(predicted=1.0), tmp_path / "champion" / "predictions")
        return tmp_path / "champion"

    return make


def test_equal_hold_outs_are_compared_by_their_recorded_predictions(champion, trained):
    result = prediction_pairs(champion(later=0), trained[1].predictions, 10)
    assert set(result["basis"]) == {"hold-out"}
    assert set(result["champion"]) == {1.0}
    holdout = trained[1].predictions.query("part == 'hold_out'")
    assert sorted(result["transaction_id"]) == sorted(holdout["transaction_id"])


@pytest.mark.parametrize("change", [{"price": 1.0}, {"month": -1}])
def test_an_id_that_names_another_sale_in_the_champions_hold_out_raises_an_error(champion, trained, change):
    """As it happened to sales numbered by their lines, in files whose rows were ordered anew."""
    folder, predictions = champion(later=0), trained[1].predictions
    predictions = predictions.assign(**{name: predictions[name] + number for name, number in change.items()})
    with pytest.raises(PromotionError, match=r"sales have another price or month.*T\d+.*map a stable transaction_id"):
        prediction_pairs(folder, predictions, 10)


def test_new_months_are_valued_with_the_champions_own_code_and_model(champion, trained):
    table, training_result = trained
    folder = champion(later=2)
    result = prediction_pairs(folder, training_result.predictions, 10)
    assert set(result["basis"]) == {"new months"}
    assert result["month"].min() == table["month"].max() - 1
    sales_valued = table.set_index("transaction_id").loc[result["transaction_id"]].reset_index()
    assert result["champion"].tolist() == training_result.valuation.fitted.prices(columns_of(sales_valued)).tolist()
    module = folder / "bento/src/homei/training/valuation_model.py"
    module.write_text(module.read_text().replace("np.round(np.exp(ends), 2)", "np.round(2 * np.exp(ends), 2)"))
    assert (
        prediction_pairs(folder, training_result.predictions, 10)["champion"].mean() > 1.9 * result["champion"].mean()
    )
    assert not list((folder / "bento").rglob("__pycache__"))


def test_the_error_for_a_missing_feature_names_it(champion, trained):
    folder = champion(later=2)
    lake.write(trained[0].drop(columns="square_meters"), lake.TRAINING_SET)
    with pytest.raises(PromotionError, match=r"do they lack its features.*square_meters"):
        prediction_pairs(folder, trained[1].predictions, 10)


def test_too_few_common_sales_raise_an_error(champion, trained):
    with pytest.raises(PromotionError, match=r"promote\.min_sales requires 9999"):
        prediction_pairs(champion(later=0), trained[1].predictions, 9999)
