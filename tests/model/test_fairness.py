"""Fairness: declared groups that are valued alike or not, what is held back, and what stops."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from homei.groups import Group
from homei.model import fairness
from homei.model.fairness import GroupError, group_values

EVALUATE = SimpleNamespace(min_slice=30, bootstrap=200, tolerance=SimpleNamespace(level=0.05, error=0.02))
BAND = Group(name="income_band", file="bands.csv", key="location", key_column="town", value="band")
KIND = Group(name="kind", column="property_type")


def valued_sales(n=1_200, sigma=0.06, seed=4):
    random = np.random.default_rng(seed)
    price = random.lognormal(12, 0.4, n)
    return pd.DataFrame({
        "predicted": price * np.exp(random.normal(0, sigma, n)), "price": price,
        "location": np.array(["Hill", "Dale", "Quay"])[np.arange(n) % 3],
        "property_type": np.array(["flat", "house"])[np.arange(n) // 3 % 2],
        "square_meters": random.uniform(30, 200, n),
        "floor": np.where(np.arange(n) % 4 == 0, np.nan, np.arange(n) % 4),
    })  # fmt: skip


@pytest.fixture
def source(tmp_path):
    """Makes a source of these groups, whose folder holds bands.csv as given."""

    def make(*groups, bands="town,band\nHill,high\nDale,low\nQuay,low\n"):
        (tmp_path / "bands.csv").write_text(bands)
        return SimpleNamespace(groups=list(groups), folder=str(tmp_path))

    return make


def test_each_group_has_its_study_with_intervals(source):
    table, groups = fairness.fairness(valued_sales(), source(BAND, KIND), EVALUATE, seed=1)
    assert list(table.columns) == fairness.COLUMNS
    assert table[["group", "value", "n"]].values.tolist() == [
        ["income_band", "high", 400], ["income_band", "low", 800], ["kind", "flat", 600], ["kind", "house", 600],
    ]  # fmt: skip
    for name in ("mdape", "median_ratio", "cod"):
        assert (table[f"{name}_low"] <= table[name]).all() and (table[name] <= table[f"{name}_high"]).all()
    assert [group["origin"] for group in groups] == ["bands.csv, by location", "the sales' property_type"]


def test_noise_alone_is_fair(source):
    for group in fairness.fairness(valued_sales(), source(BAND, KIND), EVALUATE, seed=1).groups:
        for name in ("level", "error"):
            assert (group[name]["ok"], group[name]["differs"]) == (True, False)


def test_a_group_that_is_valued_low_fails_by_level(source):
    sales = valued_sales()
    sales.loc[sales["location"] == "Hill", "predicted"] *= 0.9
    level = fairness.fairness(sales, source(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert (level["ok"], level["differs"], level["highest"], level["lowest"]) == (False, True, "low", "high")
    assert level["low"] < level["gap"] < level["high"]
    assert level["gap"] == pytest.approx(0.1, abs=0.02)


def test_a_group_that_is_valued_loosely_fails_by_error_and_not_by_level(source):
    sales = valued_sales(n=6_000)
    loose = sales["location"] == "Hill"
    sales.loc[loose, "predicted"] = sales["price"] * (sales["predicted"] / sales["price"]) ** 2.5
    group = fairness.fairness(sales, source(BAND), EVALUATE, seed=1).groups[0]
    assert (group["level"]["ok"], group["error"]["ok"], group["error"]["highest"]) == (True, False, "high")


def test_with_many_sales_a_small_difference_is_significant_and_yet_tolerated(source):
    sales = valued_sales(n=30_000)
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.01
    level = fairness.fairness(sales, source(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert (level["ok"], level["differs"]) == (True, True)


def test_a_small_group_is_named_and_counted_and_nothing_more(source):
    sales = valued_sales()
    sales.loc[sales.index[:29], "property_type"] = "villa"
    table, (group,) = fairness.fairness(sales, source(KIND), EVALUATE, seed=1)
    assert group["suppressed"] == [{"value": "villa", "n": 29}]
    villa = table.set_index("value").loc["villa"]
    assert (villa["suppressed"], villa["n"]) == (True, 29)
    assert villa.drop(["group", "suppressed", "n"]).isna().all()
    assert "villa" not in (group["level"]["highest"], group["level"]["lowest"])


def test_a_group_of_exactly_the_least_size_is_shown(source):
    sales = valued_sales()
    sales.loc[sales.index[:30], "property_type"] = "villa"
    assert fairness.fairness(sales, source(KIND), EVALUATE, seed=1).groups[0]["suppressed"] == []


def test_a_gap_beyond_the_tolerance_that_may_be_chance_is_no_failure(source):
    sales = valued_sales(n=240, sigma=0.2)
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.06
    level = fairness.fairness(sales, source(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert level["low"] < level["tolerance"] < level["gap"]
    assert level["ok"] is True


def test_where_one_value_is_shown_nothing_is_compared(source):
    sales = valued_sales().assign(property_type="flat")
    (group,) = fairness.fairness(sales, source(KIND), EVALUATE, seed=1).groups
    assert {group["level"][name] for name in ("p", "p_holm", "differs", "gap", "ok")} == {None}


def test_holms_correction_counts_every_test_on_the_page():
    ps = [0.01, 0.04, 0.03, 0.005]
    groups = [{"level": {"p": ps[0]}, "error": {"p": ps[1]}}, {"level": {"p": ps[2]}, "error": {"p": ps[3]}}]
    fairness._correct(groups)
    # Holm (1979): 0.005 · 4, 0.01 · 3, 0.03 · 2, and none below the one before.
    found = [groups[0]["level"], groups[0]["error"], groups[1]["level"], groups[1]["error"]]
    assert [one["p_holm"] for one in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [one["differs"] for one in found] == [True, False, False, True]


def test_kruskal_and_wallis_own_example_is_reproduced():
    # Kruskal and Wallis (1952), table 2.1: bottle caps of three machines; H = 5.656, a chance of 0.059.
    machines = [[340, 345, 330, 342, 338], [339, 333, 344], [347, 343, 349, 355]]
    assert fairness._kruskal_wallis([np.array(machine, float) for machine in machines]) == pytest.approx(
        0.059, abs=1e-3
    )
    assert fairness._kruskal_wallis([np.ones(5), np.ones(5)]) == 1.0


def test_a_sale_whose_key_the_file_does_not_have_is_unknown(source):
    told = source(BAND, bands="town,band\nHill,high\nDale,low\n")
    assert group_values(valued_sales(), BAND, told.folder).value_counts().to_dict() == {
        "high": 400, "low": 400, "unknown": 400,
    }  # fmt: skip


def test_a_column_of_many_numbers_is_told_by_its_quarters(source):
    values = group_values(valued_sales(), Group(name="size", column="square_meters"), source().folder)
    counts = values.value_counts().sort_index()
    assert len(counts) == 4 and (counts == 300).all()
    assert counts.index[0].startswith("1: 30")


def test_a_column_of_few_numbers_keeps_them(source):
    values = group_values(valued_sales(), Group(name="level", column="floor"), source().folder)
    assert sorted(values.unique()) == ["1", "2", "3", "unknown"]


@pytest.mark.parametrize(
    ("group", "bands", "message"),
    [
        (BAND.model_copy(update={"file": "none.csv"}), None, r"income_band.file: .*none.csv is not there"),
        (BAND.model_copy(update={"value": "rank"}), None, r"income_band.value: .* no column 'rank'; it has town, band"),
        (BAND.model_copy(update={"key_column": None}), None, r"income_band.key_column: .* no column 'location'"),
        (BAND, "town,band\nHill,high\nHill,low\n", r"gives 'Hill' several values of band"),
        (BAND, "town,band\nElsewhere,high\n", r"no location of a sale \('Hill', say\) is among those"),
        (BAND, "town,band\n", r"tells no value of band"),
        (Group(name="kind", column="heating"), None, r"kind: the sales that are valued have no column heating"),
    ],
)  # fmt: skip
def test_a_group_that_the_data_does_not_have_stops(source, group, bands, message):
    declared = source(group, **({} if bands is None else {"bands": bands}))
    with pytest.raises(GroupError, match=message):
        fairness.fairness(valued_sales(), declared, EVALUATE, seed=1)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "either column, or file with key and value"),
        ({"file": "bands.csv", "key": "location"}, "either column, or file with key and value"),
        ({"column": "location", "file": "bands.csv"}, "belong to a group from a file"),
    ],
)
def test_a_group_is_a_column_or_a_file(declared, message):
    with pytest.raises(ValidationError, match=message):
        Group(name="band", **declared)
