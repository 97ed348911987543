"""Ratio studies as cards, tables and charts."""

import pandas as pd

from homei.reporting import ratio_study_views


def test_the_headline_shows_error_dispersion_and_coverage(metrics):
    html = ratio_study_views.headline(metrics)
    for text in ("3.10\u202f%", "93.0\u202f%", "4.00\u202f%", "89.3\u202f%", "90\u202f% interval", "1,200 sales"):
        assert text in html


def test_an_undefined_statistic_is_a_dash(metrics):
    unknown = {**dict.fromkeys(metrics["naive"]), "n": 0}
    html = ratio_study_views.study_table({"The model": metrics["out_of_time"], "Floor": unknown}, "Study")
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
    html = ratio_study_views.slice_charts(slices())
    assert html.count("<svg") == 2
    assert "age in years" in html and "price decile" in html
