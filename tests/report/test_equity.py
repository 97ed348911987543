"""Equity and fairness as a reader sees them."""

import numpy as np
import pandas as pd
import pytest

from homei.report import equity

NUMBERS = [name for name in equity.MEASURES if name != "n"]


def study(shift=0.0):
    return {"n": 1200, **{name: {"value": 0.05 + shift, "low": 0.04, "high": 0.06} for name in NUMBERS}}


def row(value, n=400, **more):
    numbers = dict.fromkeys(["mdape", "median_ratio", "cod", "prd", "prb", "mki", "vei"], 0.05)
    around = {f"{name}_{end}": 0.05 for name in ("mdape", "median_ratio", "cod") for end in ("low", "high")}
    return {"value": value, "n": n, **numbers, **around, **more}


def compared(**changes):
    found = {"p": 0.2, "p_holm": 0.4, "differs": False, "highest": "high", "lowest": "low", "gap": 0.0123}
    return {**found, "low": -0.001, "high": 0.02, "tolerance": 0.05, "ok": True, **changes}


def group(name="income_band", suppressed=(), **changes):
    held_back = [{"value": value, "n": n} for value, n in suppressed]
    found = {"name": name, "origin": "bands.csv, by location", "shown": 2, "suppressed": held_back}
    return {**found, "level": compared(**changes), "error": compared()}


def test_the_study_stands_raw_beside_trimmed():
    html = equity.study_pair({"reach": 3.0, "outliers": 7, "raw": study(), "trimmed": study(shift=-0.001)})
    assert "All 1,200 sales" in html and "Without 7 beyond 3 interquartile ranges" in html
    for title in ("MKI", "VEI", "COD", "PRB"):
        assert f"<td>{title}</td>" in html
    assert "0.050" in html and "0.049" in html


def test_a_spread_that_nobody_knows_is_a_dash():
    known = {"groups": 90, "n": 200, "spread": 0.05, "low": 0.04, "high": 0.06, "cod": 0.0777}
    unknown = {"groups": 0, "n": 0, "spread": None, "low": None, "high": None, "cod": None}
    html = equity.horizontal_table({"same_property": unknown, "lookalikes": known})
    assert "7.77\u202f%" in html and html.count("<td>–</td>") == 3
    assert "None" not in html and "nan" not in html


def test_the_least_accurate_location_comes_first_and_other_slices_keep_their_order():
    kinds = [("location", "Dale", 0.02), ("location", "Hill", 0.05), ("age", "0–4", 0.01), ("age", "5–9", 0.03)]
    html = equity.slice_tables(
        pd.DataFrame([{"slice": kind, **row(value, mdape=error)} for kind, value, error in kinds])
    )
    assert html.index("Hill") < html.index("Dale") < html.index("By age") < html.index("0–4") < html.index("5–9")
    assert "By type" not in html


def test_a_suppressed_value_is_named_and_counted_and_has_no_picture():
    hidden = {name: np.nan for name in row("x") if name not in ("value", "n")}
    rows = [row("flat", suppressed=False), {**row("villa", n=12), **hidden, "suppressed": True}]
    groups = pd.DataFrame(rows).assign(group="kind")
    table, pictures = equity.fairness_tables(groups), equity.fairness_pictures(groups)
    assert "villa" in table and ">12<" in table and "nan" not in table
    assert pictures.count("<svg") == 2 and "villa" not in pictures and "flat" in pictures


@pytest.mark.parametrize(
    ("changes", "words", "chip"),
    [
        ({}, "within what is tolerated, no more than chance explains", "Holds"),
        ({"differs": True}, "within what is tolerated, more than chance alone explains", "Holds"),
        ({"ok": False, "differs": True}, "beyond what is tolerated, more than chance alone explains", "Fails"),
    ],
)
def test_chance_and_tolerance_are_told_apart(changes, words, chip):
    html = equity.difference_table([group(**changes)])
    assert f"highest for high and lowest for low: {words}" in html
    assert chip in html and "1.23\u202f%" in html


def test_groups_that_could_not_be_compared_say_so():
    nothing = dict.fromkeys(("p", "p_holm", "differs", "highest", "lowest", "gap", "low", "high", "ok"))
    assert "There are too few sales to tell." in equity.difference_table([group(**nothing)])


def test_the_page_says_what_was_looked_at_held_back_and_left_alone():
    html = equity.looked_at([group(suppressed=[("middle", 12)])], smallest=30)
    assert "income band, from bands.csv, by location: 2 values shown" in html
    assert "fewer than 30 sales, so not told: middle (12)" in html
    assert "Not looked at:</strong> everything else" in html and "ethnicity" in html


def test_without_a_declared_group_nothing_was_looked_at():
    assert "nothing, as the source declares no group" in equity.looked_at([], smallest=30)
    assert equity.difference_table([]) == "" and equity.fairness_tables(pd.DataFrame(columns=["group"])) == ""


def test_names_from_the_data_cannot_write_html():
    evil = "<script>alert(1)</script>"
    groups = pd.DataFrame([row(evil, suppressed=False)]).assign(group="kind")
    told = equity.looked_at([group(suppressed=[(evil, 3)])], 30) + equity.fairness_tables(groups)
    assert "<script" not in told + equity.difference_table([group(highest=evil)])
