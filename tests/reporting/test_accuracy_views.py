"""Accuracy as cards, tables and charts."""

import io

import pandas as pd

from homei.reporting import accuracy_views


def test_the_headline_shows_error_dispersion_and_coverage(metrics):
    html = accuracy_views.headline(metrics)
    for text in ("3.10\u202f%", "93.0\u202f%", "4.00\u202f%", "89.3\u202f%", "90\u202f% interval", "1,200 sales"):
        assert text in html


def test_an_undefined_statistic_is_a_dash(metrics):
    unknown = {**dict.fromkeys(metrics["naive"]), "n": 0}
    html = accuracy_views.study_table({"The model": metrics["out_of_time"], "Floor": unknown}, "Study")
    assert html.index("The model") < html.index("Floor")
    assert "3.10\u202f%" in html and "1.003" in html
    assert "nan" not in html.lower() and "None" not in html


def slices():
    names = [("location", "Hill"), ("location", "Dale"), ("age", "0–4"), ("age", "unknown"), ("price_decile", "01")]
    frame = pd.DataFrame(names, columns=["slice", "value"])
    numbers = {
        "n": 40,
        "mdape_low": 0.01,
        "mdape_high": 0.09,
        "ppe10": 0.9,
        "median_ratio": 1.0,
        "cod": 0.05,
        "prd": 1.0,
    }
    return frame.assign(**numbers, mdape=[0.02, 0.05, 0.03, 0.04, 0.03])


def test_each_kind_of_slice_except_location_has_a_chart():
    html = accuracy_views.slice_charts(slices())
    assert html.count("<svg") == 2
    assert "age in years" in html and "price decile" in html


def test_headline_cards_show_the_pooled_error_and_the_baseline(backtest):
    html = str(accuracy_views.backtest_headline(backtest))
    for expected in (
        "2.70\u202f%",
        "LightGBM with default parameters 2.90\u202f%",
        "11 of 12",
        "15.0\u202f% mean width",
    ):
        assert expected in html


def test_month_table_has_a_row_a_month_and_a_column_an_estimator(backtest):
    html = str(accuracy_views.month_table(backtest))
    assert all(f"2025-{month:02d}" in html for month in range(1, 13))
    assert all(title in html for title in accuracy_views.ESTIMATORS.values())


def test_a_verdict_without_numbers_is_a_row_of_dashes():
    unknown = {"name": "noise_floor", "value": None, "low": None, "high": 1.5, "interval": [None, None], "ok": None}
    html = accuracy_views.verdict_table([{**unknown, "text": "Too few sales."}])
    assert html.count("<td>–</td>") == 2 and "at most 1.50" in html and "chip" not in html


def test_verdicts_become_a_row_each(metrics):
    html = accuracy_views.verdict_table(metrics["verdicts"])
    assert html.index("Level (median ratio)") < html.index("Uniformity (COD)")
    assert html.count("Holds") == len(metrics["verdicts"])


def test_a_city_whose_groups_have_too_few_sales_gets_a_sentence():
    slices = pd.read_csv(io.StringIO("slice,value,n,mdape,mdape_low,mdape_high,median_ratio\n"))
    assert "No group has enough sales" in accuracy_views.slice_table(slices)
