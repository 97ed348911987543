"""Fairness study of declared groups: comparisons, suppression, and errors for missing data."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from homei.config.city import Group
from homei.evaluation import fairness
from homei.evaluation.fairness import GroupError, group_values

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
def city(tmp_path):
    """Makes a city with these groups and bands.csv in its folder."""

    def make(*groups, bands="town,band\nHill,high\nDale,low\nQuay,low\n"):
        (tmp_path / "bands.csv").write_text(bands)
        return SimpleNamespace(groups=list(groups), folder=str(tmp_path))

    return make


def test_each_group_has_its_study_with_intervals(city):
    table, groups = fairness.fairness_study(valued_sales(), city(BAND, KIND), EVALUATE, seed=1)
    assert list(table.columns) == fairness.COLUMNS
    assert table[["group", "value", "n"]].values.tolist() == [
        ["income_band", "high", 400], ["income_band", "low", 800], ["kind", "flat", 600], ["kind", "house", 600],
    ]  # fmt: skip
    for name in ("mdape", "median_ratio", "cod"):
        assert (table[f"{name}_low"] <= table[name]).all() and (table[name] <= table[f"{name}_high"]).all()
    assert [group["origin"] for group in groups] == ["bands.csv, by location", "the sales' property_type"]


def test_noise_alone_passes(city):
    for group in fairness.fairness_study(valued_sales(), city(BAND, KIND), EVALUATE, seed=1).groups:
        for name in ("level", "error"):
            assert (group[name]["ok"], group[name]["differs"]) == (True, False)


def test_a_group_valued_too_low_fails_by_level(city):
    sales = valued_sales()
    sales.loc[sales["location"] == "Hill", "predicted"] *= 0.9
    level = fairness.fairness_study(sales, city(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert (level["ok"], level["differs"], level["highest"], level["lowest"]) == (False, True, "low", "high")
    assert level["low"] < level["gap"] < level["high"]
    assert level["gap"] == pytest.approx(0.1, abs=0.02)


def test_a_group_valued_with_larger_errors_fails_by_error_only(city):
    sales = valued_sales(n=6_000)
    loose = sales["location"] == "Hill"
    sales.loc[loose, "predicted"] = sales["price"] * (sales["predicted"] / sales["price"]) ** 2.5
    group = fairness.fairness_study(sales, city(BAND), EVALUATE, seed=1).groups[0]
    assert (group["level"]["ok"], group["error"]["ok"], group["error"]["highest"]) == (True, False, "high")


def test_a_significant_difference_within_the_tolerance_passes(city):
    sales = valued_sales(n=30_000)
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.01
    level = fairness.fairness_study(sales, city(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert (level["ok"], level["differs"]) == (True, True)


def test_a_small_group_is_suppressed(city):
    sales = valued_sales()
    sales.loc[sales.index[:29], "property_type"] = "villa"
    table, (group,) = fairness.fairness_study(sales, city(KIND), EVALUATE, seed=1)
    assert group["suppressed"] == [{"value": "villa", "n": 29}]
    villa = table.set_index("value").loc["villa"]
    assert (villa["suppressed"], villa["n"]) == (True, 29)
    assert villa.drop(["group", "suppressed", "n"]).isna().all()
    assert "villa" not in (group["level"]["highest"], group["level"]["lowest"])


def test_a_group_of_exactly_the_minimum_size_is_shown(city):
    sales = valued_sales()
    sales.loc[sales.index[:30], "property_type"] = "villa"
    assert fairness.fairness_study(sales, city(KIND), EVALUATE, seed=1).groups[0]["suppressed"] == []


def test_a_gap_beyond_the_tolerance_within_chance_passes(city):
    sales = valued_sales(n=240, sigma=0.2)
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.06
    level = fairness.fairness_study(sales, city(BAND), EVALUATE, seed=1).groups[0]["level"]
    assert level["low"] < level["tolerance"] < level["gap"]
    assert level["ok"] is True


def test_a_single_shown_value_is_not_compared(city):
    sales = valued_sales().assign(property_type="flat")
    (group,) = fairness.fairness_study(sales, city(KIND), EVALUATE, seed=1).groups
    assert {group["level"][name] for name in ("p", "p_holm", "differs", "gap", "ok")} == {None}


def test_holms_correction_counts_all_tests():
    ps = [0.01, 0.04, 0.03, 0.005]
    groups = [{"level": {"p": ps[0]}, "error": {"p": ps[1]}}, {"level": {"p": ps[2]}, "error": {"p": ps[3]}}]
    fairness._add_holm_correction(groups)
    # Holm (1979): 0.005 · 4, 0.01 · 3, 0.03 · 2, and none below the one before.
    result = [groups[0]["level"], groups[0]["error"], groups[1]["level"], groups[1]["error"]]
    assert [one["p_holm"] for one in result] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [one["differs"] for one in result] == [True, False, False, True]


def test_the_example_of_kruskal_and_wallis_is_reproduced():
    # Kruskal and Wallis (1952), table 2.1: bottle caps of three machines; H = 5.656, a chance of 0.059.
    machines = [[340, 345, 330, 342, 338], [339, 333, 344], [347, 343, 349, 355]]
    assert fairness._kruskal_wallis([np.array(machine, float) for machine in machines]) == pytest.approx(
        0.059, abs=1e-3
    )
    assert fairness._kruskal_wallis([np.ones(5), np.ones(5)]) == 1.0


def test_a_sale_without_a_key_in_the_file_is_unknown(city):
    result = city(BAND, bands="town,band\nHill,high\nDale,low\n")
    assert group_values(valued_sales(), BAND, result.folder).value_counts().to_dict() == {
        "high": 400, "low": 400, "unknown": 400,
    }  # fmt: skip


def test_a_column_of_many_numbers_is_grouped_by_quarters(city):
    values = group_values(valued_sales(), Group(name="size", column="square_meters"), city().folder)
    counts = values.value_counts().sort_index()
    assert len(counts) == 4 and (counts == 300).all()
    assert counts.index[0].startswith("1: 30")


def test_a_column_of_few_numbers_keeps_them(city):
    values = group_values(valued_sales(), Group(name="level", column="floor"), city().folder)
    assert sorted(values.unique()) == ["1", "2", "3", "unknown"]


@pytest.mark.parametrize(
    ("group", "bands", "message"),
    [
        (BAND.model_copy(update={"file": "none.csv"}), None, r"income_band.file: .*none.csv does not exist"),
        (BAND.model_copy(update={"value": "rank"}), None, r"income_band.value: .* no column 'rank': use .*town"),
        (BAND.model_copy(update={"key_column": None}), None, r"income_band.key_column: .* no column 'location'"),
        (BAND, "town,band\nHill,high\nHill,low\n", r"several values of band for 'Hill'"),
        (BAND, "town,band\nElsewhere,high\n", r"no location of the sales \(such as 'Hill'\) is in"),
        (BAND, "town,band\n", r"has no values of band"),
        (Group(name="kind", column="heating"), None, r"kind: the sales have no column heating"),
    ],
)  # fmt: skip
def test_a_group_without_data_raises_an_error(city, group, bands, message):
    declared = city(group, **({} if bands is None else {"bands": bands}))
    with pytest.raises(GroupError, match=message):
        fairness.fairness_study(valued_sales(), declared, EVALUATE, seed=1)


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


def test_a_groups_file_is_read_in_its_declared_format_and_na_is_a_value(tmp_path):
    path = tmp_path / "bands.csv"
    path.write_bytes("town ;band\nNA;high\nŁąki;low\n".encode("cp1250"))
    declared = BAND.model_copy(update={"delimiter": ";", "encoding": "cp1250"})
    values = group_values(pd.DataFrame({"location": ["NA", "Łąki", "Hill"]}), declared, str(tmp_path))
    assert values.tolist() == ["high", "low", "unknown"]
    with pytest.raises(GroupError, match=r"income_band\.encoding: .* is not utf-8-sig: declare its own"):
        group_values(pd.DataFrame({"location": ["NA"]}), BAND, str(tmp_path))
