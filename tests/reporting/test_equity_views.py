"""Tables and charts of equity and fairness."""

import numpy as np
import pandas as pd
import pytest

from homei.reporting import equity_views
from homei.storage import lake

NUMBERS = [name for name in equity_views.MEASURES if name != "n"]


def study(shift=0.0):
    return {"n": 1200, **{name: {"value": 0.05 + shift, "low": 0.04, "high": 0.06} for name in NUMBERS}}


def row(value, n=400, **changes):
    numbers = dict.fromkeys(["mdape", "median_ratio", "cod", "prd", "prb", "mki", "vei"], 0.05)
    intervals = {f"{name}_{end}": 0.05 for name in ("mdape", "median_ratio", "cod") for end in ("low", "high")}
    return {"value": value, "n": n, **numbers, **intervals, **changes}


def comparison(**changes):
    defaults = {"p": 0.2, "p_holm": 0.4, "differs": False, "highest": "high", "lowest": "low", "gap": 0.0123}
    return {**defaults, "low": -0.001, "high": 0.02, "tolerance": 0.05, "ok": True, **changes}


def group(name="income_band", suppressed=(), **changes):
    suppressed_values = [{"value": value, "n": n} for value, n in suppressed]
    defaults = {"name": name, "origin": "bands.csv, by location", "shown": 2, "suppressed": suppressed_values}
    return {**defaults, "level": comparison(**changes), "error": comparison()}


def test_the_study_is_shown_raw_trimmed_and_with_excluded_sales():
    parts = {"raw": study(), "trimmed": study(shift=-0.001), "with_flagged": study()}
    html = equity_views.study_pair({"reach": 3.0, "outliers": 7, "flagged": 5, **parts})
    assert "With 5 sales excluded by their price" in html
    assert "All 1,200 sales" in html and "Without 7 beyond 3 interquartile ranges" in html
    for title in ("MKI", "VEI", "COD", "PRB"):
        assert f"<td>{title}</td>" in html
    assert "0.050" in html and "0.049" in html


def test_an_undefined_spread_is_a_dash():
    defined = {"groups": 90, "n": 200, "spread": 0.05, "low": 0.04, "high": 0.06, "cod": 0.0777}
    undefined = {"groups": 0, "n": 0, "spread": None, "low": None, "high": None, "cod": None}
    html = equity_views.horizontal_table({"same_property": undefined, "lookalikes": defined})
    assert "7.77\u202f%" in html and html.count("<td>–</td>") == 3
    assert "None" not in html and "nan" not in html


def test_locations_are_sorted_by_error_and_other_slices_by_order():
    kinds = [("location", "Dale", 0.02), ("location", "Hill", 0.05), ("age", "0–4", 0.01), ("age", "5–9", 0.03)]
    html = equity_views.slice_tables(
        pd.DataFrame([{"slice": kind, **row(value, mdape=error)} for kind, value, error in kinds])
    )
    assert html.index("Hill") < html.index("Dale") < html.index("By age") < html.index("0–4") < html.index("5–9")
    assert "By type" not in html


def test_a_city_without_groups_has_neither_charts_nor_tables(tmp_path):
    header = ",".join(["group", "value", "suppressed", "n", "mdape", "median_ratio"])
    (tmp_path / "fairness.csv").write_text(header + "\n")
    groups = lake.read_csv(tmp_path / "fairness.csv")
    assert "<svg" not in equity_views.fairness_charts(groups) + equity_views.fairness_tables(groups)


def test_a_suppressed_value_is_counted_and_has_no_chart():
    hidden = {name: np.nan for name in row("x") if name not in ("value", "n")}
    rows = [row("flat", suppressed=False), {**row("villa", n=12), **hidden, "suppressed": True}]
    groups = pd.DataFrame(rows).assign(group="kind")
    table, charts = equity_views.fairness_tables(groups), equity_views.fairness_charts(groups)
    assert "villa" in table and ">12<" in table and "nan" not in table
    assert charts.count("<svg") == 2 and "villa" not in charts and "flat" in charts


@pytest.mark.parametrize(
    ("changes", "expected", "chip"),
    [
        ({}, "within the tolerance, not statistically significant", "Holds"),
        ({"differs": True}, "within the tolerance, statistically significant", "Holds"),
        ({"ok": False, "differs": True}, "beyond the tolerance, statistically significant", "Fails"),
    ],
)
def test_significance_and_tolerance_are_separate(changes, expected, chip):
    html = equity_views.difference_table([group(**changes)])
    assert f"highest for high and lowest for low: {expected}" in html
    assert chip in html and "1.23\u202f%" in html


def test_groups_with_too_few_sales_say_so():
    nothing = dict.fromkeys(("p", "p_holm", "differs", "highest", "lowest", "gap", "low", "high", "ok"))
    assert "Too few sales for a conclusion." in equity_views.difference_table([group(**nothing)])


def test_the_page_lists_examined_and_suppressed_groups_and_its_limits():
    html = " ".join(equity_views.examined_groups([group(suppressed=[("middle", 12)])], min_sales=30).split())
    assert "income band, from bands.csv, by location: 2 values shown" in html
    assert "suppressed, fewer than 30 sales: middle (12)" in html
    assert "Not examined:</strong> everything else" in html and "ethnicity" in html


def test_without_declared_groups_nothing_is_examined():
    assert "nothing, because the city declares no groups" in equity_views.examined_groups([], min_sales=30)
    assert (
        equity_views.difference_table([]) == "" and equity_views.fairness_tables(pd.DataFrame(columns=["group"])) == ""
    )


def test_names_from_the_data_cannot_write_html():
    script = "<script>alert(1)</script>"
    groups = pd.DataFrame([row(script, suppressed=False)]).assign(group="kind")
    html = equity_views.examined_groups([group(suppressed=[(script, 3)])], 30) + equity_views.fairness_tables(groups)
    assert "<script" not in html + equity_views.difference_table([group(highest=script)])
