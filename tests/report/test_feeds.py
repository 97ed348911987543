"""What the front page says of the records that came, feed by feed."""

import pandas as pd

from homei.report.feeds import feed_table, month_pictures, offer_pictures, offers_that_sold, reasons_picture


def test_each_feed_has_a_row_that_says_what_became_of_its_records(quality, resolved):
    shown = feed_table(quality, resolved)
    assert shown.count("<tr>") == 5
    assert "sales · register" in shown and "1.7\u202f%" in shown
    assert "280 known from another feed" in shown
    assert "370 of homes in the register, 240 offered elsewhere too" in shown


def test_reasons_are_told_in_words_with_their_share(resolved):
    shown = reasons_picture(resolved)
    assert "1.02\u202f% of 29,500 sales are kept out" in shown
    assert "within a family, cheap" in shown


def test_where_the_truth_is_known_it_is_told_how_right_the_joining_was(quality, resolved):
    listings = [{"feed": "rival", "precision": 0.998, "recall": 0.971}]
    resolved["truth"] = {"sale_validation": {"recall": 0.974, "false_share": 0.0002}, "listings": listings}
    assert "offered elsewhere too; 99.8\u202f% rightly, 97.1\u202f% of all that are" in feed_table(quality, resolved)
    assert "97.4\u202f% are kept out; of the usual ones, 0.02\u202f%" in reasons_picture(resolved)


def test_a_source_with_nothing_but_sales_has_one_row(quality, resolved):
    quality["tables"] = quality["tables"][:1]
    resolved = {**resolved, "merged": [], "listings": []}
    assert feed_table(quality, resolved).count("<tr>") == 2


def test_months_are_counted_by_feed_and_nothing_has_no_picture():
    days = pd.Series(pd.to_datetime(["2024-01-05", "2024-03-05", "2024-03-06"]))
    feed = pd.Series(["register", "register", "brokers"])
    none = pd.Series(dtype=object)
    (picture,) = month_pictures({"Sales": (days, feed), "Listings": (none, none)})
    assert "Sales a month, by feed" in picture
    assert "brokers" in picture


def test_an_offer_meets_the_first_sale_of_its_home_within_a_year():
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
    offers = offers_that_sold(listings, sales)
    assert offers["property_id"].tolist() == ["P1"]
    assert offers["over"].round(6).tolist() == [0.1]
    assert len(offer_pictures(offers)) == 2
    assert offer_pictures(offers[:0]) == []
