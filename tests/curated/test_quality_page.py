"""The page that shows data_quality, month by month."""

import datetime

import pandas as pd
import pytest

from homei.curated.quality_page import quality_page

THRESHOLDS = {"completeness": 0.98, "validity": 0.9, "uniqueness": 1.0, "freshness": 45, "accounted": 1.0}


@pytest.fixture
def rows():
    """data_quality of one feed in two months, of which nothing fails."""
    months = [datetime.date(2021, 11, 1), datetime.date(2021, 12, 1)]
    record = {"column_name": "*", "validity": 0.97, "uniqueness": 1.0}
    column = {"column_name": "year_built", "completeness": 1.0, "validity": 1.0}
    found = [
        {"table_name": "sales", "feed": "main", "month": month, "rows": 200, "verdict": "holds", **told}
        for month in months
        for told in (record, column)
    ]
    frame = pd.DataFrame(found).assign(freshness_days=[None, None, 12, None], accounted=[None, None, 1.0, None])
    return frame.assign(**{f"{measure}_threshold": asked for measure, asked in THRESHOLDS.items()})


def test_feeds_are_told_as_a_whole_and_month_by_month(rows, town):
    page = quality_page(rows, town)
    assert "sales · main" in page and "2 of 2" in page and "97.0\u202f%" in page
    assert "whole record" in page and "year built" in page and "100.0\u202f% filled" in page
    assert "Nothing does." in page


def test_what_misses_its_threshold_is_told_with_its_worst_month(rows, town):
    rows.loc[[1, 3], "completeness"] = [0.5, 0.7]
    rows.loc[2, "freshness_days"] = 60
    rows.loc[[1, 2, 3], "verdict"] = "fails"
    page = quality_page(rows, town)
    failures = page[page.index("What misses its threshold") :]
    assert "1 of 4" in page
    assert failures.count("<tr>") == 3
    for told in ("year built", "2021-11", "50.0\u202f%", "98.0\u202f%", "freshness", "60", "45"):
        assert told in failures


def test_a_feed_of_which_all_was_lost_is_told(rows, town):
    lost = {"table_name": "listings", "feed": "gone", "column_name": "*", "rows": 0, "accounted": 0.0}
    page = quality_page(
        pd.concat([rows, pd.DataFrame([{**lost, "accounted_threshold": 1.0, "verdict": "fails"}])]), town
    )
    assert "listings · gone" in page and "some" in page
