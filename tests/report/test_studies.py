"""Ratio studies as a reader sees them."""

import pandas as pd

from homei.report import studies


def test_the_headline_tells_error_reach_dispersion_and_coverage(metrics):
    html = studies.headline(metrics)
    for told in ("3.10\u202f%", "93.0\u202f%", "4.00\u202f%", "89.3\u202f%", "90\u202f% interval", "1,200 sales"):
        assert told in html


def test_studies_stand_side_by_side_and_an_unknown_number_is_no_zero(metrics):
    unknown = {**dict.fromkeys(metrics["naive"]), "n": 0}
    html = studies.study_table({"The model": metrics["out_of_time"], "Floor": unknown}, "Study")
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


def test_each_way_to_slice_but_by_location_has_a_picture():
    html = studies.slice_pictures(slices())
    assert html.count("<svg") == 2
    assert "age in years" in html and "tenth of worth" in html
