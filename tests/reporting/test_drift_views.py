"""Drift as those who decide see it."""

import pytest

from homei.reporting import drift_views


@pytest.fixture
def summary(drift, metrics):
    places = [
        {"location": f"District {number:02d}", "n": 60, "change": -0.16 if number == 0 else 0.001 * number, "q": 0.5,
         "shifted": number == 0, "valuation_error": None if number == 1 else 0.02}
        for number in range(20)
    ]  # fmt: skip
    periods = {"reference": metrics["naive"], "current": metrics["out_of_time"], "mdape_change": -0.6}
    return {**drift, "locations": places, "shifted_locations": ["District 00"], "regression": periods, "drifted": True}


def test_the_headline_shows_the_verdict_and_the_shifted_locations(summary):
    html = drift_views.headline(summary)
    assert "Drift" in html and "1 of 20" in html and "1 of 4" in html
    assert "3.10\u202f%" in html and "8.10\u202f% before" in html
    assert html.count("Look here") == 2 and html.count("Steady") == 1


def test_without_a_shift_every_verdict_is_steady(summary):
    html = drift_views.headline({**summary, "shifted_locations": [], "drifted": False})
    assert "No drift" in html and "Look here" not in html


def test_the_chart_shows_only_the_largest_changes(summary):
    picture = drift_views.location_chart(summary)
    assert "District 00" in picture and "District 19" in picture and "District 02" not in picture


def test_every_location_and_column_has_a_verdict(summary):
    places, columns = drift_views.location_table(summary), drift_views.column_table(summary)
    assert places.count("steady") == 19 and places.count(">shifted") == 1
    assert columns.count("steady") == 3 and "market level" in columns
    assert "nan" not in places.lower()


def test_too_few_locations_are_named_instead_of_an_empty_chart_and_table(summary):
    few = {**summary, "locations": [], "shifted_locations": []}
    assert "too few locations" in drift_views.headline(few)
    assert "too few locations" in drift_views.location_chart(few)
    assert drift_views.location_table(few) == ""
