"""Market trends over HTTP, as JSON and as CSV."""

import csv
import io

import pytest

from homei.serving.trend_responses import MarketTrends

TRENDS = "/api/v1/analytics/market-trends"


def test_months_come_without_gaps_each_with_its_change(reader):
    answer = reader.get(TRENDS, params={"location": "harbour"}).json()
    told = MarketTrends.model_validate(answer)
    assert [str(period.period) for period in told.periods][::23] == ["2024-01-01", "2025-12-01"]
    last, june, july = told.periods[-1], told.periods[-7], told.periods[-6]
    assert (last.market_sales, last.median_price, last.inventory) == (3, 102_300.0, 4)
    assert (last.median_change, last.median_change_year) == (0.001, 0.0119)
    assert (last.index_change, last.index_change_year) == (0.0, 0.0)
    assert (june.market_sales, june.median_price, june.median_change) == (0, None, None)
    assert (july.median_change, july.median_change_year) == (None, 0.0119)
    assert told.periods[0].median_change is None


def test_trends_without_a_location_cover_all_locations(reader):
    assert reader.get(TRENDS, params={"months": 3}).json()["periods"][0]["market_sales"] == 3
    years = reader.get(TRENDS, params={"frequency": "year", "months": 13}).json()["periods"]
    assert [(year["period"], year["market_sales"]) for year in years] == [("2024-01-01", 0), ("2025-01-01", 3)]


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("format=csv", "application/json", "text/csv; charset=utf-8"),
        ("", "text/csv", "text/csv; charset=utf-8"),
        ("", "application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("", "text/csv;q=0.5, application/json", "application/json"),
        ("", "text/csv;q=x", "application/json"),
        ("", "*/*", "application/json"),
        ("format=json", "text/csv", "application/json"),
    ],
)
def test_the_client_says_whether_it_wants_csv(reader, query, accept, kind):
    answer = reader.get(f"{TRENDS}?{query}", headers={"accept": accept})
    assert (answer.headers["content-type"], answer.headers["vary"]) == (kind, "accept")


def test_csv_has_the_values_of_json(reader):
    told = reader.get(TRENDS, params={"months": 8}).json()["periods"]
    rows = list(csv.DictReader(io.StringIO(reader.get(TRENDS, params={"months": 8, "format": "csv"}).text)))
    assert [{name: "" if value is None else str(value) for name, value in period.items()} for period in told] == [
        {name: value for name, value in row.items() if name not in ("location", "property_type")} for row in rows
    ]


def test_no_cell_of_a_csv_is_a_formula(reader):
    query = {"location": "=cmd|' /C calc'!A0", "frequency": "year", "format": "csv", "months": 1}
    (row,) = csv.DictReader(io.StringIO(reader.get(TRENDS, params=query).text))
    assert row["location"] == "'=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("location=nowhere", 404, "location"),
        ("property_type=castle", 404, "property_type"),
        ("location=%27%20OR%201=1", 404, "location"),
        ("months=0", 422, "months"),
        ("months=601", 422, "months"),
        ("frequency=week", 422, "frequency"),
        ("format=xml", 422, "format"),
        ("loction=x", 422, "loction"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(reader, query, status, field):
    response = reader.get(f"{TRENDS}?{query}")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert [problem["field"] for problem in response.json()["errors"]] == [field]
