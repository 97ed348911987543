"""Tables and charts of feeds on the front page."""

import pandas as pd

from homei.reporting.feed_views import asking_price_charts, feed_table, month_charts, reasons_picture, sold_listings


def test_each_feed_has_a_row_with_the_result_of_resolution(quality, resolved):
    html = feed_table(quality, resolved)
    assert html.count("<tr>") == 5
    assert "sales · register" in html and "1.7\u202f%" in html
    assert "280 also reported by another feed" in html
    assert "370 of properties in the register, 240 also listed in another feed" in html


def test_exclusion_reasons_are_shown_with_their_share(resolved):
    html = reasons_picture(resolved, "EUR")
    assert "1.02\u202f% of 29,500 sales are excluded" in html
    assert "family transfer at a low price" in html
    assert "A price of at most EUR\u00a01,000 counts as nominal." in html


def test_precision_and_recall_are_shown_for_a_simulated_city(quality, resolved):
    listings = [{"feed": "rival", "precision": 0.998, "recall": 0.971}]
    resolved["truth"] = {"sale_validation": {"recall": 0.974, "false_share": 0.0002}, "listings": listings}
    assert "also listed in another feed; 99.8\u202f% precision, 97.1\u202f% recall" in feed_table(quality, resolved)
    assert "97.4\u202f% are excluded; of the market sales, 0.02\u202f%" in reasons_picture(resolved, "EUR")


def test_a_source_with_nothing_but_sales_has_one_row(quality, resolved):
    quality["tables"] = quality["tables"][:1]
    resolved = {**resolved, "merged": [], "listings": []}
    assert feed_table(quality, resolved).count("<tr>") == 2


def test_months_are_counted_by_feed_and_empty_tables_have_no_chart():
    days = pd.Series(pd.to_datetime(["2024-01-05", "2024-03-05", "2024-03-06"]))
    feed = pd.Series(["register", "register", "brokers"])
    empty = pd.Series(dtype=object)
    (chart,) = month_charts({"Sales": (days, feed), "Listings": (empty, empty)})
    assert "Sales a month, by feed" in chart
    assert "brokers" in chart


def test_a_listing_is_matched_to_the_first_sale_within_a_year():
    days = pd.to_datetime(["2024-01-05", "2024-01-06", "2024-02-01", "2024-03-01", "2024-04-01"])
    listings = pd.DataFrame(
        {
            "property_id": ["P1", "P1", "P2", "P3", None],
            "duplicate_of": [None, "L1", None, None, None],
            "listed_on": days,
            "price": [110.0, 111.0, 90.0, 50.0, 10.0],
        }
    )
    sales = pd.DataFrame(
        {
            "property_id": ["P1", "P1", "P2", "P3"],
            "sale_date": pd.to_datetime(["2024-03-01", "2024-06-01", "2024-01-31", "2025-09-01"]),
            "price": [100.0, 300.0, 90.0, 50.0],
            "longitude": 1.0,
            "latitude": 2.0,
        }
    )
    sold = sold_listings(listings, sales)
    assert sold["property_id"].tolist() == ["P1"]
    assert sold["over"].round(6).tolist() == [0.1]
    assert len(asking_price_charts(sold)) == 2
    assert asking_price_charts(sold[:0]) == []
