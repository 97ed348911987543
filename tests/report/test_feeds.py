"""What the front page says of the records that came, feed by feed."""

import pandas as pd

from homei.report.feeds import feed_table, month_pictures, reasons_picture


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
