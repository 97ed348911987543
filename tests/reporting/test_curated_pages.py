"""Pages on the data dictionary and on data quality by month."""

import datetime

import pandas as pd
import pytest

from homei.curated.dictionary import read_dictionary
from homei.reporting.curated_pages import dictionary_page, quality_page

THRESHOLDS = {"completeness": 0.98, "validity": 0.9, "uniqueness": 1.0, "freshness": 45, "accounted": 1.0}


@pytest.fixture
def rows():
    """The table data_quality of one feed in two months, without failures."""
    months = [datetime.date(2021, 11, 1), datetime.date(2021, 12, 1)]
    record = {"column_name": "*", "validity": 0.97, "uniqueness": 1.0}
    column = {"column_name": "year_built", "completeness": 1.0, "validity": 1.0}
    quality = [
        {"table_name": "sales", "feed": "main", "month": month, "rows": 200, "verdict": "holds", **measures}
        for month in months
        for measures in (record, column)
    ]
    frame = pd.DataFrame(quality).assign(freshness_days=[None, None, 12, None], accounted=[None, None, 1.0, None])
    return frame.assign(**{f"{measure}_threshold": threshold for measure, threshold in THRESHOLDS.items()})


def test_the_page_shows_each_feed_in_total_and_by_month(rows, city):
    page = quality_page(rows, city)
    assert "sales · main" in page and "2 of 2" in page and "97.0\u202f%" in page
    assert "whole record" in page and "year built" in page and "100.0\u202f% filled" in page
    assert "<p>None.</p>" in page


def test_a_missed_threshold_is_listed_with_its_worst_month(rows, city):
    rows.loc[[1, 3], "completeness"] = [0.5, 0.7]
    rows.loc[2, "freshness_days"] = 60
    rows.loc[[1, 2, 3], "verdict"] = "fails"
    page = quality_page(rows, city)
    failures = page[page.index("Missed thresholds") :]
    assert "1 of 4" in page
    assert failures.count("<tr>") == 3
    for expected in ("year built", "2021-11", "50.0\u202f%", "98.0\u202f%", "freshness", "60", "45"):
        assert expected in failures


def test_lost_records_of_a_feed_are_reported(rows, city):
    lost = {"table_name": "listings", "feed": "gone", "column_name": "*", "rows": 0, "accounted": 0.0}
    lost_rows = pd.DataFrame([{**lost, "accounted_threshold": 1.0, "verdict": "fails"}])
    page = quality_page(pd.concat([rows, lost_rows]), city)
    assert "listings · gone" in page and "some" in page


def test_the_dictionary_page_shows_every_table_and_column(city):
    page = dictionary_page(read_dictionary(), city)
    for name, entry in read_dictionary().items():
        assert f"<h2>{name}</h2>" in page
        assert all(column in page for column in entry["columns"])
        assert all(definition["meaning"] for definition in entry["columns"].values())
