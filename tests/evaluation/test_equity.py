"""Equity measures against the draft standard's worked example and simulated groups of similar properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.evaluation import ratio_study
from homei.evaluation.equity import MIN_GROUPS, horizontal_equity, vertical_equity

# IAAO, Standard on Ratio Studies, exposure draft of 2025, table 1: assessed value and sale price of 54 homes.
DRAFT_TABLE_1 = np.array([
    (240000, 690000), (144000, 296250), (392000, 787500), (199200, 372000), (340800, 574500), (472000, 795000),
    (336000, 559500), (284800, 465000), (436000, 693600), (191200, 298500), (225000, 350000), (194000, 295000),
    (481600, 732000), (338400, 495000), (164800, 237000), (252800, 352500), (945000, 1289000), (280000, 379000),
    (407000, 540000), (423000, 560000), (306800, 390000), (236800, 300000), (361000, 450000), (290400, 345000),
    (235200, 277500), (415000, 485000), (381000, 442000), (380000, 435000), (875000, 998000), (680000, 772500),
    (329000, 365000), (457000, 487000), (516000, 547500), (295200, 300000), (580000, 580000), (840000, 840000),
    (640000, 622500), (660000, 637500), (354000, 340000), (800000, 750000), (390000, 352500), (800000, 705000),
    (469000, 410000), (1000000, 859500), (920000, 787500), (527000, 440000), (800000, 648000), (786000, 630000),
    (496000, 388500), (1000000, 765000), (320000, 243750), (960000, 720000), (952000, 705000), (327200, 240000),
]).T  # fmt: skip


def test_the_drafts_vertical_equity_indicator_is_reproduced():
    # The draft prints 50.12 %, worked out from medians of three decimals.
    assert ratio_study.vei(*DRAFT_TABLE_1) == pytest.approx(0.5012, abs=1e-3)
    assert np.diff([0, *ratio_study.strata_ends(54)]).tolist() == [14, 13, 14, 13]


def test_the_strata_of_the_drafts_table_4_are_reproduced():
    strata = pd.DataFrame(vertical_equity(*DRAFT_TABLE_1)["strata"])
    assert strata["n"].tolist() == [14, 13, 14, 13]
    assert strata["worth"].tolist() == pytest.approx([302_709, 436_450, 584_538, 903_995], abs=1)
    assert strata["median_ratio"].tolist() == pytest.approx([0.728, 0.862, 0.755, 1.163], abs=6e-4)
    assert strata["low"].tolist() == pytest.approx([0.643, 0.787, 0.594, 1.000], abs=6e-4)
    assert strata["high"].tolist() == pytest.approx([0.848, 1.041, 1.000, 1.248], abs=6e-4)


def test_the_drafts_significance_is_reproduced():
    # 17.51 % in §8.2.1.2, from medians of three decimals.
    assert vertical_equity(*DRAFT_TABLE_1)["significance"] == pytest.approx(0.1751, abs=1e-3)


def test_significance_is_symmetric_for_regressivity_and_progressivity():
    valued, price = DRAFT_TABLE_1
    turned = vertical_equity(price, valued)["significance"]
    assert turned < -0.1


def test_overlapping_intervals_are_not_significant():
    price = np.linspace(1e5, 9e5, 800)
    assert vertical_equity(price * np.tile([0.9, 1.1, 1.0, 1.05], 200), price)["significance"] == 0.0


def test_too_few_sales_have_no_strata():
    assert vertical_equity(np.ones(19), np.ones(19)) == {"significance": None, "strata": []}


def homes(groups=200, each=2, noise=0.06, between=0.0, seed=3):
    """Groups of similar properties, each group with a common error of σ `between`."""
    random = np.random.default_rng(seed)
    n = groups * each
    group = np.repeat(np.arange(groups), each)
    price = np.full(n, 3e5)
    off = np.exp(random.normal(0, between, groups)[group] + random.normal(0, noise, n))
    return pd.DataFrame({
        "predicted": price * off, "price": price, "month": 24_300, "property_id": [f"P{number}" for number in group],
        "location": [f"L{number}" for number in group], "property_type": "flat", "square_meters": 80.0,
        "year_built": 1990.0,
    })  # fmt: skip


def test_noise_alone_gives_equal_spread_and_cod():
    result = horizontal_equity(homes(), draws=200, seed=1)["lookalikes"]
    assert (result["groups"], result["n"]) == (200, 400)
    assert result["low"] < result["cod"] < result["high"]
    assert result["spread"] == pytest.approx(0.06 * np.sqrt(2 / np.pi), rel=0.1)


def test_errors_common_to_a_group_raise_the_cod_but_not_the_spread():
    result = horizontal_equity(homes(between=0.15), draws=200, seed=1)["same_property"]
    assert result["spread"] == pytest.approx(0.06 * np.sqrt(2 / np.pi), rel=0.1)
    assert result["cod"] > 2 * result["high"]


def test_properties_of_different_areas_are_not_lookalikes():
    sales = homes().assign(square_meters=lambda sale: np.where(sale.index % 2, 80.0, 100.0), property_id=None)
    result = horizontal_equity(sales, draws=50, seed=1)
    assert result["lookalikes"] == result["same_property"] == {
        "groups": 0, "n": 0, "spread": None, "low": None, "high": None, "cod": None,
    }  # fmt: skip


def test_too_few_groups_give_no_measures():
    few = horizontal_equity(homes(groups=MIN_GROUPS - 1), draws=50, seed=1)["lookalikes"]
    assert (few["groups"], few["spread"]) == (MIN_GROUPS - 1, None)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 2.0), st.integers(0, 1000))
def test_the_spread_does_not_depend_on_level_or_order(level, seed):
    sales = homes(groups=20, each=3)
    other = sales.assign(predicted=sales["predicted"] * level).sample(frac=1, random_state=seed)
    before, after = (horizontal_equity(each, draws=20, seed=1)["lookalikes"] for each in (sales, other))
    assert after == pytest.approx(before)
