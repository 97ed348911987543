"""Both are judged on the same sales that neither had seen; a lead counts only where all of its interval is a lead."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import homei
from homei import lake
from homei.config import Promote
from homei.model import package
from homei.model.challenge import PromotionError, both_valued, lead, lead_rule
from homei.model.preprocess import columns_of
from homei.model.train import fit

SETTINGS = Promote(draws=200, confidence=0.95, fewest=100)


def pairs(ours, theirs, price):
    frame = pd.DataFrame({"price": price, "challenger": ours, "champion": theirs})
    return frame.assign(month=24000, basis="hold-out")


def wins(ours, theirs, price):
    return lead_rule(lead(pairs(ours, theirs, price), SETTINGS, 1), "v1.0.0").ok


def sales(seed, size=400):
    draw = np.random.default_rng(seed)
    return np.exp(draw.normal(12, 0.4, size)), draw.normal(0, 0.1, size)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.8))
def test_uniformly_smaller_errors_win_and_larger_ones_or_the_same_never_do(seed, share):
    price, noise = sales(seed)
    better, worse = price * (1 + share * noise), price * (1 + noise)
    assert wins(better, worse, price)
    assert not wins(worse, better, price)
    assert not wins(worse, worse, price)


def test_chance_wins_as_seldom_as_the_confidence_promises():
    price, _ = sales(0)
    other = [sales(seed)[1] for seed in range(1, 201)]
    won = sum(wins(price * (1 + a), price * (1 + b), price) for a, b in zip(other[::2], other[1::2], strict=True))
    # 2.5 of 100 by right: 95 % two-sided, and only one side wins.
    assert won <= 8


def test_pairing_finds_a_lead_that_apart_drowns_in_noise():
    price, noise = sales(5)
    compared = lead(pairs(price * (1 + 0.93 * noise), price * (1 + noise), price), SETTINGS, 1)
    assert compared["difference"] < 0
    assert compared["interval"][1] < 0
    assert compared["interval"][1] - compared["interval"][0] < 0.25 * compared["mdape"]["champion"]


def test_the_sentence_tells_both_errors_and_the_interval():
    price, _ = sales(5)
    rule = lead_rule(lead(pairs(price * 1.02, price * 1.05, price), SETTINGS, 1), "v1.2.0")
    assert rule.text == (
        "The error is 2.00% against 5.00% of v1.2.0, on 400 sales (hold-out): -3.00 points, "
        "95% interval -3.00 to -3.00: better beyond noise."
    )


@pytest.fixture(scope="module")
def trained(sections, ready, recipe):
    table = ready(1500)
    return table, fit(table, recipe, sections.source, sections.split, sections.intervals, sections.scope, "d")


@pytest.fixture
def champion(trained, sections, tmp_path, monkeypatch):
    """Makes the folder of a champion that has learnt from all sales but those of the last `later` months."""
    monkeypatch.chdir(tmp_path)
    table, found = trained
    lake.write(table, lake.READY)
    code = Path(homei.__file__).parent.parent

    def make(later: int) -> Path:
        last = int(table["month"].max()) - later
        source = tmp_path / "champion" / "bento" / "src"
        for file in package.import_closure(package.SERVICE, code):
            (source / file.relative_to(code)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, source / file.relative_to(code))
        known = {**found.valuation.meta, "months": [int(table["month"].min()), last]}
        replace(found.valuation, meta=known).save(source / "valuation")
        lake.write(found.predictions.assign(predicted=1.0), tmp_path / "champion" / "predictions")
        return tmp_path / "champion"

    return make


def test_of_the_same_months_both_hold_outs_are_compared(champion, trained):
    found = both_valued(champion(later=0), trained[1].predictions, 10)
    assert set(found["basis"]) == {"hold-out"}
    assert set(found["champion"]) == {1.0}
    held = trained[1].predictions.query("part == 'hold_out'")
    assert sorted(found["transaction_id"]) == sorted(held["transaction_id"])


def test_months_after_the_champion_s_are_valued_by_the_champion_s_own_code_and_model(champion, trained):
    table, made = trained
    folder = champion(later=2)
    found = both_valued(folder, made.predictions, 10)
    assert set(found["basis"]) == {"new months"}
    assert found["month"].min() == table["month"].max() - 1
    asked = table.set_index("transaction_id").loc[found["transaction_id"]].reset_index()
    assert found["champion"].tolist() == made.valuation.fitted.prices(columns_of(asked)).tolist()
    module = folder / "bento/src/homei/model/valuation.py"
    module.write_text(module.read_text().replace("np.round(np.exp(ends), 2)", "np.round(2 * np.exp(ends), 2)"))
    assert both_valued(folder, made.predictions, 10)["champion"].mean() > 1.9 * found["champion"].mean()
    assert not list((folder / "bento").rglob("__pycache__"))


def test_a_champion_that_misses_a_feature_is_told(champion, trained):
    folder = champion(later=2)
    lake.write(trained[0].drop(columns="square_meters"), lake.READY)
    with pytest.raises(PromotionError, match=r"do they lack its features.*square_meters"):
        both_valued(folder, trained[1].predictions, 10)


def test_too_few_common_sales_are_told(champion, trained):
    with pytest.raises(PromotionError, match=r"promote\.fewest asks for 9999"):
        both_valued(champion(later=0), trained[1].predictions, 9999)
